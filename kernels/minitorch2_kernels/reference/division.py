"""Division to a whole number, and what it leaves.

On the CPU these are NumPy's functions, but for a remainder of 0, which has in torch the sign of what was divided.
CuPy's have it from the rounded quotient, x - floor(x / y) * y, which for floats is not what is left: of 5 by infinity
NaN, of a large x any number; and its fmod of integers goes through float64. Of floats fmod alone is exact, of integers
remainder.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import is_array, kernel, on_device


def _arrays_there(a, b, kind: str) -> bool:
    """Whether arrays of this kind, "f" for floats and so on, are divided on a GPU; a or b may be a number."""
    return any(on_device(x) and x.dtype.kind in kind for x in (a, b))


@kernel
def remainder(a, b):
    """What is left of a, with b's sign: Python's %."""
    if not any(is_array(x) and x.dtype.kind == "f" for x in (a, b)):
        return np.remainder(a, b)
    rest = np.fmod(a, b)
    return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)


@kernel
def fmod(a, b):
    """What is left of a, with a's sign: C's fmod."""
    if not _arrays_there(a, b, "iu"):
        return np.fmod(a, b)
    rest = np.remainder(a, b)
    return np.where((rest != 0) & ((rest < 0) != (a < 0)), rest - b, rest)


@kernel
def floor_divide(a, b):
    """How often b goes into a, rounded down: Python's //. By 0 it is what a / b is."""
    if not _arrays_there(a, b, "f"):
        return np.floor_divide(a, b)
    quotient = a / b
    rest = np.fmod(a, b)
    times = (a - rest) / b - ((rest != 0) & ((rest < 0) != (b < 0)))  # whole, but for its rounding
    whole = np.floor(times)
    whole = whole + (times - whole > 0.5)
    # np.equal makes of a number's truth one that CuPy's where takes
    return np.where(np.equal(b, 0), quotient, np.where(times == 0, np.copysign(whole, quotient), whole))
