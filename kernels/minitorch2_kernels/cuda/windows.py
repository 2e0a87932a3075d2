"""The geometry of windows over images as kernels take it: a struct by value, worked out once for each geometry."""

from __future__ import annotations

import functools
import math

import numpy as np

from .launch import by_value

_DIVISOR = np.dtype([("by", "u4"), ("magic", "u4"), ("shift", "u4")])
_SIDE = np.dtype(
    [(name, "i4") for name in ("size", "places", "taps", "stride", "padding", "dilation")]
    + [(name, _DIVISOR) for name in ("by_size", "by_places", "by_stride", "by_dilation")]
)
_WINDOWS = np.dtype([("rows", _SIDE), ("columns", _SIDE), ("group", "i4")])

_Pair = tuple[int, int]


def _numbers(by: int) -> tuple[int, int, int]:
    """windows.cuh's Divisor for this number, at least 1: (by, magic, shift)."""
    shift = (by - 1).bit_length()
    return by, (((1 << shift) - by) << 32) // by + 1, shift


@functools.lru_cache(4096)
def divisor(by: int) -> np.ndarray:
    """A Divisor, for a kernel to take by value."""
    return by_value(np.array(_numbers(by), _DIVISOR))


def group_of(columns: int, stride: _Pair, dilation: _Pair = (1, 1)) -> int:
    """How many elements of a row of this length one thread of windows.cuh's `gather` makes.

    With a stride, what neighbouring threads read is together all the same; without one, they take neighbours.
    """
    return math.gcd(columns, 4) if stride[1] > 1 and dilation == (1, 1) else 1


@functools.lru_cache(4096)
def windows(hw: _Pair, out: _Pair, khw: _Pair, stride: _Pair, padding: _Pair, dilation: _Pair = (1, 1)) -> np.ndarray:
    """windows.cuh's Windows, for a kernel to take by value: windows of khw over images of hw, at the places of out."""
    group = group_of(hw[1], stride, dilation)
    sides = []
    for i, width in enumerate((1, group)):
        divisors = (_numbers(max(by, 1)) for by in (hw[i] // width, out[i], stride[i], dilation[i]))
        sides.append((hw[i], out[i], khw[i], stride[i], padding[i], dilation[i], *divisors))
    return by_value(np.array((*sides, group), _WINDOWS))
