"""Changing the dtype of an array, bfloat16 included.

NumPy has no bfloat16. It is stored as the structured dtype [("bfloat16", "<u2")]: the upper half of a float32.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace, on_device
from .arithmetic import LONG

BFLOAT16 = np.dtype([("bfloat16", "<u2")])


def cast(x, dtype):
    """A copy of x with elements of `dtype`. Floats go to integers by truncation, to bool by `!= 0`."""
    if x.dtype == BFLOAT16:
        return x.copy() if dtype == BFLOAT16 else cast(widen(x), dtype)
    if dtype == BFLOAT16:
        return narrow(x.astype(np.float32, copy=False))
    if x.dtype.char == "e" and np.dtype(dtype).char in "fd":
        return from_half(x).astype(dtype, copy=False)
    if np.dtype(dtype).char == "e" and x.dtype.char in "fd":
        return to_half(x.astype(np.float32, copy=False))
    if dtype == np.uint8 and x.dtype.kind == "f" and on_device(x):
        x = x.astype(np.int64)  # of what is below 0 a GPU makes 0 at once, and torch the last eight bits
    return long_cast(x, dtype) if x.size >= LONG else x.astype(dtype)


@kernel
def long_cast(x, dtype):
    """cast of NumPy's and CuPy's own dtypes."""
    return x.astype(dtype)


@kernel
def from_half(x):
    """float16 -> float32, exactly."""
    return x.astype(np.float32)


@kernel
def to_half(x):
    """float32 -> float16, to nearest, ties to even. (Of a float64, torch rounds a float32.)"""
    return x.astype(np.float16)


@kernel
def widen(x):
    """bfloat16 -> float32, exactly: the missing 16 bits of the fraction are zero."""
    return (x.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


@kernel
def narrow(x):
    """float32 -> bfloat16, to nearest, ties to even; a NaN stays one."""
    xp = namespace(x)
    x = xp.asarray(x)
    bits = x.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    rounded = xp.where(xp.isnan(x), np.uint32(0x7FC0), rounded)
    return xp.asarray(rounded).astype(np.uint16).view(BFLOAT16)


@kernel
def add_bfloat16(a, b):
    """a + b, rounded once."""
    return narrow(widen(a) + widen(b))
