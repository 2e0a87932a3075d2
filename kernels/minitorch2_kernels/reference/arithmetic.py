"""The four operations, element by element: Python's, and kernels for long arrays, which are worth all threads.

Short ones do not ask the dispatcher: that takes as long as to add ten by ten numbers.
"""

from __future__ import annotations

from numpy import ndarray

from ..dispatch import kernel, where

LONG = 1 << 15  # numbers of one of the arrays, from which on


def _long(a, b) -> bool:
    return (a.__class__ is ndarray and a.size >= LONG) or (b.__class__ is ndarray and b.size >= LONG)


@kernel
def long_plus(a, b):
    """a + b, with NumPy's broadcasting and promotion; arrays, or one a number."""
    return a + b


@kernel
def long_minus(a, b):
    """a - b, as long_plus."""
    return a - b


@kernel
def long_times(a, b):
    """a * b, as long_plus."""
    return a * b


@kernel
def long_over(a, b):
    """a / b, as long_plus."""
    return a / b


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
