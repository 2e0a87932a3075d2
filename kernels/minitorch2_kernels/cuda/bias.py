"""Adding a bias to a convolution's result on the GPU, sixteen bytes at a time."""

from __future__ import annotations

import math

import numpy as np

from ..reference import bias as reference
from .launch import REALS, dense, function, spread


def _supports(y, bias) -> bool:
    return dense(y, bias) and y.dtype == bias.dtype and y.dtype in REALS


@reference.add_bias.cuda_override(_supports)
def add_bias(y, bias):
    """add_bias"""
    kernel = function("bias.cu", "add_bias", y.dtype)
    numbers = np.int64(y.size), np.int64(y.shape[1]), np.int64(math.prod(y.shape[2:]))
    spread(kernel, y.size, (y, bias, *numbers), 16 // y.itemsize)
    return y
