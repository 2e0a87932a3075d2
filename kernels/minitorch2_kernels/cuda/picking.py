"""Picking by class index on the GPU: one small kernel in place of the index arrays of take_along_axis."""

from __future__ import annotations

import math

import cupy
import numpy as np

from ..reference import picking as reference
from .launch import REALS, dense, function, spread

_INT64 = np.dtype(np.int64)


def _supports(x, index, *shape) -> bool:
    return dense(x, index) and x.dtype in REALS and index.dtype == _INT64


def _sizes(places: int, shape) -> tuple[np.int64, np.int64, np.int64]:
    """places, C and R of x (N, C, R)"""
    return np.int64(places), np.int64(shape[1]), np.int64(math.prod(shape[2:]))


@reference.pick.cuda_override(_supports)
def pick(x, index):
    """pick, a thread for each place."""
    y = cupy.empty(index.shape, x.dtype)
    spread(function("picking.cu", "pick", x.dtype), y.size, (x, index, y, *_sizes(y.size, x.shape)))
    return y


@reference.put.cuda_override(_supports)
def put(y, index, shape):
    """put, a thread for each place."""
    x = cupy.zeros(shape, y.dtype)
    spread(function("picking.cu", "put", y.dtype), y.size, (y, index, x, *_sizes(y.size, shape)))
    return x
