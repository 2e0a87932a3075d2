"""NumPy's scalars, arrays and dtypes in a checkpoint: built from their bytes by nothing but this file.

torch.load(weights_only=True) refuses them unless the reader registers NumPy's own functions, yet training
scripts save them all the time (a best accuracy that is a numpy.float64). They are plain data: only numbers and
bools are accepted, of a size that is checked against the bytes that are there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import damaged

_NUMBERS = re.compile(r"b1|[iu][1248]|f[248]|c8|c16")
_NO_FIELDS = (None, None, None)


class NumpyDtype:
    """A numpy.dtype in the making: its kind and size first, then (by BUILD) its byte order."""

    def __init__(self, spec: str):
        self.dtype = np.dtype(spec)

    def set_state(self, state: Any) -> None:
        """`state`: (version, byte order, then what only structured dtypes have)."""
        if (
            type(state) is not tuple
            or len(state) < 5
            or state[1] not in ("<", ">", "|", "=")
            or state[2:5] != _NO_FIELDS
        ):
            damaged("a numpy.dtype has a state that is not one of a plain number type")
        self.dtype = self.dtype.newbyteorder(state[1])


def numpy_dtype(spec: Any, align: Any = False, copy: Any = True) -> NumpyDtype:
    """numpy.dtype(spec) for numbers and bools."""
    if type(spec) is not str or not _NUMBERS.fullmatch(spec):
        raise NotImplementedError(
            f"minitorch2: the file contains a NumPy value of the type {spec!r:.30}; only numbers and bools are "
            "supported. Save strings as str, and arrays of objects as lists"
        )
    return NumpyDtype(spec)


def numpy_scalar(dtype: Any, data: Any) -> np.generic:
    """One number from its bytes."""
    if type(dtype) is not NumpyDtype or type(data) is not bytes or len(data) != dtype.dtype.itemsize:
        damaged("a NumPy scalar is not made of a dtype and the bytes of one number")
    return np.frombuffer(data, dtype.dtype)[0]


class NumpyArrayType:
    """numpy.ndarray, as the argument of `numpy_array`."""


def numpy_array(cls: Any, shape: Any, typecode: Any) -> np.ndarray:
    """The empty array that BUILD fills: numpy.core.multiarray._reconstruct."""
    if not isinstance(cls, NumpyArrayType) or shape != (0,):
        damaged("a NumPy array does not begin as an empty array")
    return np.empty(0, np.uint8)


def set_array_state(array: np.ndarray, state: Any) -> None:
    """`state`: (version, shape, dtype, whether in Fortran order, bytes)."""
    if type(state) is not tuple or len(state) != 5:
        damaged("a NumPy array is not described by five values")
    _, shape, dtype, fortran_order, data = state
    _check(shape, dtype, data)
    array.__setstate__((1, shape, dtype.dtype, bool(fortran_order), data))  # type: ignore[arg-type]


def numpy_array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """An array as pickle protocol 5 has it: numpy._core.numeric._frombuffer."""
    data = bytes(data) if type(data) is bytearray else data
    _check(shape, dtype, data)
    if order not in ("C", "F"):
        damaged(f"a NumPy array has the order {order!r:.20}")
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order).copy(order=order)


def _check(shape: Any, dtype: Any, data: Any) -> None:
    sizes = type(shape) is tuple and len(shape) <= 64 and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or type(dtype) is not NumpyDtype or type(data) is not bytes:
        damaged("a NumPy array is not made of a shape, a dtype and bytes")
    if math.prod(shape) * dtype.dtype.itemsize != len(data):
        damaged(f"a NumPy array of shape {shape} and type {dtype.dtype} comes with {len(data)} bytes")


# The names files have for these, in NumPy 1 (numpy.core) and NumPy 2 (numpy._core).
BUILDERS: dict[str, Callable[..., Any]] = {"numpy.dtype": numpy_dtype}
for _core in ("numpy.core", "numpy._core"):
    BUILDERS[f"{_core}.multiarray.scalar"] = numpy_scalar
    BUILDERS[f"{_core}.multiarray._reconstruct"] = numpy_array
    BUILDERS[f"{_core}.numeric._frombuffer"] = numpy_array_from_buffer
