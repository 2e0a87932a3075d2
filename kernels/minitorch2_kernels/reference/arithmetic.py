"""The four operations, element by element: Python's, and kernels for long arrays, which are worth all threads.

Short ones do not ask the dispatcher: that takes as long as to add ten by ten numbers.
"""

from __future__ import annotations

from numpy import ndarray

from ..dispatch import kernel

LONG = 1 << 15  # numbers of the first array, from which on


@kernel
def long_plus(a, b):
    """a + b, with NumPy's broadcasting and promotion; a an array, b an array or a number."""
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


def plus(a, b):
    """a + b; arrays, or one a number."""
    return long_plus(a, b) if a.__class__ is ndarray and a.size >= LONG else a + b


def minus(a, b):
    """a - b, as plus."""
    return long_minus(a, b) if a.__class__ is ndarray and a.size >= LONG else a - b


def times(a, b):
    """a * b, as plus."""
    return long_times(a, b) if a.__class__ is ndarray and a.size >= LONG else a * b


def over(a, b):
    """a / b, as plus."""
    return long_over(a, b) if a.__class__ is ndarray and a.size >= LONG else a / b
