"""What wrappers of kernels share: numbers as kernels take them, arrays as kernels read them."""

from __future__ import annotations

import functools
import math

import cupy
import numpy as np

from ..reference.cast import BFLOAT16
from .launch import REALS

MOST = 2**31 - 1  # elements that kernels which count with 32 bits go through


@functools.lru_cache(4096)
def int32s(*values: int) -> tuple[np.int32, ...]:
    """The numbers as kernels declare them (int); kept, since a network asks for the same ones in every step."""
    return tuple(np.int32(value) for value in values)


def packed(x: cupy.ndarray) -> cupy.ndarray:
    """x itself if it lies in C order without gaps, else a copy that does."""
    if x.flags.c_contiguous:
        return x
    if x.dtype == BFLOAT16:  # a structured dtype, which CuPy moves but does not compute with
        return cupy.ascontiguousarray(x.view(np.uint16)).view(BFLOAT16)
    return cupy.ascontiguousarray(x)


def alike(first, *rest) -> bool:
    """Whether all are CuPy arrays of one dtype that kernels compute with."""
    if not isinstance(first, cupy.ndarray) or first.dtype not in REALS:
        return False
    return all(isinstance(a, cupy.ndarray) and a.dtype == first.dtype for a in rest)


def rows_along(x: cupy.ndarray, axis: int) -> tuple[int, int, int]:
    """(rows, width, inner): the sizes of x before an axis, along it and after it. x is not empty."""
    axis %= x.ndim
    width, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    return x.size // (width * inner), width, inner
