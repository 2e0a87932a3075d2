"""Losses of class indices on the GPU: one launch for what NumPy's functions need ten for. For losses of a few hundred
numbers launches are all that counts."""

from __future__ import annotations

import math

import cupy
import numpy as np

from ..reference import class_loss as reference
from .launch import REALS, dense, function, spread

_INT64 = np.dtype(np.int64)
_INDEX = {_INT64: "i64", np.dtype(np.int32): "int", np.dtype(np.uint8): "u8"}


def _supports_scale(target, weight, classes, ignore_index, dtype) -> bool:
    typed = dtype in REALS and (weight is None or weight.dtype == dtype)
    return typed and dense(target, weight) and target.dtype in _INDEX


@reference.class_scale.cuda_override(_supports_scale)
def class_scale(target, weight, classes, ignore_index, dtype):
    """class_scale"""
    safe, scale = cupy.empty(target.shape, _INT64), cupy.empty(target.shape, dtype)
    kernel = function("class_loss.cu", "class_scale", dtype, INDEX=_INDEX[target.dtype])
    numbers = np.int64(target.size), np.int64(classes), np.int64(ignore_index)
    spread(kernel, target.size, (target, weight, safe, scale, *numbers))
    return safe, scale


def _indexed(target, scale, dtype) -> bool:
    typed = dtype in REALS and target.dtype == _INT64 and (scale is None or scale.dtype == dtype)
    return typed and dense(target, scale)


def _supports(x, target, scale) -> bool:
    return _indexed(target, scale, x.dtype) and dense(x)


@reference.nll.cuda_override(_supports)
def nll(x, target, scale):
    """nll"""
    y = cupy.empty(target.shape, x.dtype)
    kernel = function("class_loss.cu", "nll", x.dtype, INDEX="i64")
    numbers = np.int64(y.size), np.int64(x.shape[1]), np.int64(math.prod(x.shape[2:]))
    spread(kernel, y.size, (x, target, scale, y, *numbers))
    return y


def _one_number(g) -> bool:
    """Whether all elements of g are the same one in memory, as a mean's gradient is."""
    return all(step == 0 or n == 1 for step, n in zip(g.strides, g.shape, strict=True))


def _supports_put(g, target, scale, shape) -> bool:
    return _indexed(target, scale, g.dtype) and (dense(g) or _one_number(g))


@reference.nll_put.cuda_override(_supports_put)
def nll_put(g, target, scale, shape):
    """nll_put, without zeros written first."""
    x = cupy.empty(shape, g.dtype)
    kernel = function("class_loss.cu", "nll_put", g.dtype, INDEX="i64")
    step = 1
    if _one_number(g):
        step, g = 0, g[(slice(1),) * g.ndim]
    numbers = np.int64(x.size), np.int64(shape[1]), np.int64(math.prod(shape[2:])), np.int64(step)
    spread(kernel, x.size, (g, target, scale, x, *numbers))
    return x
