"""Step functions of floats, and what they leave: kernels for long arrays, as those of arithmetic.py."""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel
from .arithmetic import asked_if_long


@kernel
def long_sign(x):
    """1, 0 or -1, and 0 for NaN."""
    return (x > 0).astype(x.dtype) - (x < 0)


@kernel
def long_floor(x):
    """The largest whole number <= x."""
    return np.floor(x)


@kernel
def long_ceil(x):
    """The smallest whole number >= x."""
    return np.ceil(x)


@kernel
def long_rint(x):
    """The nearest whole number, of two the even one."""
    return np.rint(x)


@kernel
def long_trunc(x):
    """x without its fraction."""
    return np.trunc(x)


@kernel
def long_frac(x):
    """x - trunc(x)"""
    return x - np.trunc(x)


@kernel
def long_finite(x, nan, posinf, neginf):
    """x with these numbers in the place of NaN and the infinities."""
    nan, posinf, neginf = map(x.dtype.type, (nan, posinf, neginf))
    return np.where(np.isnan(x), nan, np.where(x == np.inf, posinf, np.where(x == -np.inf, neginf, x)))


sign, floor, ceil, rint = map(asked_if_long, (long_sign, long_floor, long_ceil, long_rint))
trunc, frac, finite = map(asked_if_long, (long_trunc, long_frac, long_finite))
