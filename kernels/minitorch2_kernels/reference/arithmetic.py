"""The four operations, element by element: kernels, because long arrays are worth all threads."""

from __future__ import annotations

from ..dispatch import kernel


@kernel
def plus(a, b):
    """a + b, with NumPy's broadcasting and promotion; a, b: arrays, or one a number."""
    return a + b


@kernel
def minus(a, b):
    """a - b, as plus."""
    return a - b


@kernel
def times(a, b):
    """a * b, as plus."""
    return a * b


@kernel
def over(a, b):
    """a / b, as plus."""
    return a / b
