"""The four operations, element by element: Python's, and kernels for long arrays, which are worth all threads.

Short ones do not ask the dispatcher: that takes as long as to add ten by ten numbers.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from ..dispatch import kernel, where

LONG = 1 << 15  # numbers of one of the arrays, from which on


def _long(a, b) -> bool:
    return (a.__class__ is ndarray and a.size >= LONG) or (b.__class__ is ndarray and b.size >= LONG)


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
