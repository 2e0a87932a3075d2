"""Division to a whole number, and what it leaves, compiled by numba: NumPy takes 15 ns for a float, this 0.6."""

from __future__ import annotations

import functools

import numpy as np

from ..reference import division as reference
from .gathered import back, together
from .jit import Loops
from .pool import share_loop

loops = Loops("division_loops")

WORTH_IT = 256  # numbers
WORTH_SHARING = 1 << 14  # numbers
_INTEGERS = "ilq"
_LIMIT = 1 << 31  # of a Python number beside integers, so that it is one of theirs


def _supports(of_arrays: str, by_number: str, a, b) -> bool:
    """Two arrays of one of the first dtypes, or an array of the others and a number."""
    arrays = [x for x in (a, b) if type(x) is np.ndarray]
    if not arrays or max(x.size for x in arrays) < WORTH_IT:
        return False
    dtype = arrays[0].dtype
    if len(arrays) == 2:
        return dtype.char in of_arrays and dtype == arrays[1].dtype
    number = b if arrays[0] is a else a
    if dtype.char not in by_number:
        return False
    return (
        type(number) is int and -_LIMIT <= number < _LIMIT if dtype.char in _INTEGERS else type(number) in (int, float)
    )


def _register(kernel, of_arrays: str, by_number: str) -> None:
    @kernel.override(functools.partial(_supports, of_arrays, by_number))
    def override(a, b):
        dtype = a.dtype if type(a) is np.ndarray else b.dtype
        arrays, y, axes = together([np.asarray(x, dtype) for x in (a, b)], dtype)
        worth, to = y.size / WORTH_SHARING, y.reshape(-1)
        if dtype.char in _INTEGERS:
            share_loop(worth, loops.divide_integers, y.size, *arrays, to, kernel is reference.floor_divide)
        else:
            share_loop(worth, getattr(loops, kernel.__name__), y.size, *arrays, to)
        return back(y, axes)

    override.__doc__ = f"{kernel.__name__}, compiled."


def register() -> None:
    """Puts the compiled kernels before the others."""
    _register(reference.fmod, "fd", "fd")
    _register(reference.remainder, "fd" + _INTEGERS, "fd" + _INTEGERS)
    # many integers by one number NumPy divides without dividing
    _register(reference.floor_divide, "fd" + _INTEGERS, "fd")
