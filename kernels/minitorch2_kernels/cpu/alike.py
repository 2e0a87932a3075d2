"""Which arrays the compiled loops take: asked before every call, so spelled out."""

from __future__ import annotations

from numpy import ndarray


def alike(*arrays) -> bool:
    """Whether all are float32 or all float64, and each in row-major order. None, for what is not there, is passed over;
    the first is an array."""
    first = arrays[0]
    if type(first) is not ndarray:
        return False
    dtype = first.dtype
    if dtype.char not in "fd":
        return False
    for a in arrays:  # not `all` of a generator, which takes twice the time
        if a is not None and (type(a) is not ndarray or a.dtype != dtype or not a.flags.c_contiguous):
            return False
    return True


def of_one_dtype(*arrays) -> bool:
    """Whether all are float32 or all float64, in any order: kernels that copy what is not in row-major order take the
    gradient of a sum or a mean too, which has one number for many places."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(type(a) is ndarray and a.dtype == dtype for a in arrays)


def alike_float32(*arrays) -> bool:
    """Whether all are float32, and each in row-major order."""
    return alike(*arrays) and arrays[0].dtype.char == "f"
