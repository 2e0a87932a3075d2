"""What CuPy computes otherwise than NumPy: division with a rest, and bytes of floats. (maximum.at: see module.py.)"""

from __future__ import annotations

import numpy as np


def _of_floats(x, y) -> bool:
    return np.result_type(x, y).kind == "f"


def floor_divide(x, y):
    return np.floor(x / y) if _of_floats(x, y) else np.floor_divide(x, y)


def remainder(x, y):
    return x - np.floor(x / y) * y if _of_floats(x, y) else np.remainder(x, y)


def fmod(x, y):
    """Of integers it goes through float64."""
    dtype = np.result_type(x, y)
    if dtype.kind == "f":
        return np.fmod(x, y)
    rest = np.fmod(np.asarray(x, np.float64), np.asarray(y, np.float64))
    return np.where(np.equal(y, 0), 0, rest).astype(dtype)


def within_32_bits(x):
    """Floats as a GPU makes unsigned integers of them, whose last bits are a uint8: 0 of NaN and of what is below 0."""
    return np.nan_to_num(x, nan=0).clip(0, 2**32 - 1).astype(np.uint32) if x.dtype.kind == "f" else x


OTHERWISE = {"floor_divide": floor_divide, "remainder": remainder, "fmod": fmod}
_OPERATORS = {"floordiv": floor_divide, "mod": remainder}


def operator(name: str):
    """The function (self, other) of an operator's method that CuPy computes otherwise, or None."""
    kind = name.strip("_")
    if kind in _OPERATORS:
        return _OPERATORS[kind]
    if kind[1:] in _OPERATORS and kind[0] == "r":
        function = _OPERATORS[kind[1:]]
        return lambda self, other: function(other, self)
    if kind[1:] in _OPERATORS:
        function = _OPERATORS[kind[1:]]
        return lambda self, other: np.copyto(self, function(self, other), casting="same_kind")
    return None
