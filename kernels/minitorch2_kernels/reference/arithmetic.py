"""The four operations and what stands near them, element by element: Python's, and kernels for long arrays, which are
worth all threads.

Short ones do not ask the dispatcher: that takes as long as to add ten by ten numbers.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy import ndarray

from ..dispatch import kernel, where

LONG = 1 << 15  # numbers of one of the arrays, or of what they make, from which on


def _long(a, b) -> bool:
    if a.__class__ is not ndarray:
        return b.__class__ is ndarray and b.size >= LONG
    m = a.size
    if m >= LONG or b.__class__ is not ndarray:
        return m >= LONG
    n = b.size
    return n >= LONG or (m * n >= LONG and a.shape[-1:] != b.shape[-1:] and np.broadcast(a, b).size >= LONG)


@kernel
def long_plus(a, b, out=None):
    """a + b, with NumPy's broadcasting and promotion; arrays, or one a number. Into `out`, which may be a, where
    that is given."""
    return a + b if out is None else np.add(a, b, out=out)


@kernel
def long_minus(a, b, out=None):
    """a - b, as long_plus."""
    return a - b if out is None else np.subtract(a, b, out=out)


@kernel
def long_times(a, b, out=None):
    """a * b, as long_plus."""
    return a * b if out is None else np.multiply(a, b, out=out)


@kernel
def long_over(a, b, out=None):
    """a / b, as long_plus."""
    return a / b if out is None else np.divide(a, b, out=out)


@kernel
def long_where(condition, a, b):
    """a where condition, b elsewhere, with NumPy's broadcasting and promotion; condition an array of bools, of a and b
    at most one a number."""
    return where(condition, a, b)


@kernel
def long_negative(x):
    """-x"""
    return -x


@kernel
def long_absolute(x):
    """|x|"""
    return abs(x)


@kernel
def long_absolute_grad(g, x):
    """g sign(x), where NaN and 0 have the sign 0. g and x are of one shape and dtype."""
    return g * ((x > 0).astype(x.dtype) - (x < 0))


@kernel
def long_square_root(x):
    """The square root of x, floating."""
    return np.sqrt(x)


@kernel
def long_reciprocal_square_root(x):
    """1 / sqrt(x), x floating."""
    return 1 / np.sqrt(x)


@kernel
def long_reciprocal(x):
    """1 / x"""
    return 1 / x


@kernel
def long_cube(x):
    """x x x"""
    return x * x * x


@kernel
def long_interpolated(a, b, weight):
    """a + weight (b - a), from b for weights of a half and more; a and b of one shape and floating dtype, weight a
    number."""
    return a + weight * (b - a) if np.abs(weight) < 0.5 else b + (weight - 1) * (b - a)


def asked_if_long(made):
    """The kernel for long arrays, and its reference at once for short ones."""

    @functools.wraps(made)
    def function(x, *rest):
        return made(x, *rest) if x.__class__ is ndarray and x.size >= LONG else made.reference(x, *rest)

    return function


negative, absolute, absolute_grad = map(asked_if_long, (long_negative, long_absolute, long_absolute_grad))
square_root, reciprocal_square_root = map(asked_if_long, (long_square_root, long_reciprocal_square_root))
reciprocal, cube, interpolated = map(asked_if_long, (long_reciprocal, long_cube, long_interpolated))


def choose(condition, a, b):
    """As long_where; for short arrays, and others than floats, NumPy's or CuPy's."""
    if condition.__class__ is ndarray and (condition.size >= LONG or getattr(a, "size", 0) >= LONG):
        return long_where(condition, a, b)
    return where(condition, a, b)


def plus(a, b):
    """a + b; arrays, or one a number."""
    return long_plus(a, b) if _long(a, b) else a + b


def minus(a, b):
    """a - b, as plus."""
    return long_minus(a, b) if _long(a, b) else a - b


def times(a, b):
    """a * b, as plus."""
    return long_times(a, b) if _long(a, b) else a * b


def over(a, b):
    """a / b, as plus."""
    return long_over(a, b) if _long(a, b) else a / b


def plus_into(a, b) -> None:
    """a += b; a an array of floats, b an array that broadcasts to it or a number."""
    long_plus(a, b, a) if _long(a, b) else np.add(a, b, out=a)


def minus_into(a, b) -> None:
    """a -= b, as plus_into."""
    long_minus(a, b, a) if _long(a, b) else np.subtract(a, b, out=a)


def times_into(a, b) -> None:
    """a *= b, as plus_into."""
    long_times(a, b, a) if _long(a, b) else np.multiply(a, b, out=a)


def over_into(a, b) -> None:
    """a /= b, as plus_into."""
    long_over(a, b, a) if _long(a, b) else np.divide(a, b, out=a)
