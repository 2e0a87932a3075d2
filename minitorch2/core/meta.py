"""The meta device: tensors that have a shape, a dtype and an order in memory, but no numbers.

A model is built there without its weights' memory and without drawing them, to be given those of a checkpoint
(`to_empty`, `load_state_dict(assign=True)`). Writing to such a tensor does nothing; reading from it is an error. An op
on one is run on zeros, of which only shape and dtype are kept: it takes the time that it takes on the CPU.
"""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

from minitorch2_kernels import dispatch

NO_DATA = "Cannot copy out of meta tensor; no data!"


class MetaArray(np.ndarray):
    """An array of memory that nobody touches, so that the system never gives it any. NumPy's functions give others."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return _run(getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.copyto and isinstance(args[0], MetaArray):
            return None
        return _run(func, args, kwargs)

    def __setitem__(self, key, value) -> None:
        """Nothing is written."""

    def fill(self, value) -> None:
        """Nothing is written."""

    def copy(self, order: Any = "C") -> MetaArray:
        return described(stand_in(self).copy(order))

    def astype(self, *args, **kwargs) -> MetaArray:
        return described(stand_in(self).astype(*args, **kwargs))

    def __reduce__(self):
        return described_as, (self.shape, self.dtype, self.strides)

    def item(self, *args):
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")

    def __bool__(self) -> bool:
        return self.item()


def _refuse(self, *args, **kwargs):
    raise NotImplementedError(NO_DATA)


def _method(name: str):
    own = getattr(np.ndarray, name)
    return lambda self, *args, **kwargs: _run(own, (self, *args), kwargs)


_RUN = "all any argmax argmin argsort clip cumprod cumsum dot flatten max mean min prod repeat round searchsorted sort "
_RUN += "std sum take trace var"
for _name in _RUN.split():
    setattr(MetaArray, _name, _method(_name))
for _name in ("nonzero", "tolist", "tobytes", "tofile", "__float__", "__int__", "__index__"):
    setattr(MetaArray, _name, _refuse)
dispatch.ARRAYS.add(MetaArray)


def _run(function, args, kwargs):
    """What function gives for zeros, without its numbers. What it would write its results to, it gives back."""
    for kept in kwargs.get("out") or ():
        if isinstance(kept, MetaArray):
            return kept
    return _each(described, function(*_each(stand_in, args), **_each(stand_in, kwargs)))


def _each(function, value: Any) -> Any:
    """`value`, nested in lists, tuples and dicts, with its arrays replaced: all of them by `described`, MetaArrays by
    `stand_in`."""
    if isinstance(value, list | tuple):
        return type(value)([_each(function, item) for item in value])
    if isinstance(value, dict):
        return {key: _each(function, item) for key, item in value.items()}
    replaced = MetaArray if function is stand_in else (np.ndarray, np.generic)
    return function(value) if isinstance(value, replaced) else value


def refuse(op: str, *arrays) -> None:
    """NotImplementedError for an op whose result's shape depends on numbers, where there are none."""
    if any(type(array) is MetaArray for array in arrays):
        raise NotImplementedError(f"{op}: the shape of the result depends on numbers, and a meta tensor has no data!")


def described(array) -> Any:
    """Of an array's shape, dtype and strides, on whichever device it is, without its numbers."""
    return array if type(array) is MetaArray else described_as(array.shape, array.dtype, array.strides)


def described_as(shape, dtype, strides) -> MetaArray:
    """Of this shape, dtype and strides, in bytes. MemoryError where the system would not have the address space."""
    return MetaArray(shape, dtype, _untouched(_reach(shape, strides) + dtype.itemsize), 0, strides)


def stand_in(array: MetaArray) -> Any:
    """Zeros for an op to be run on; memory, too, that the system does not give before somebody writes to it."""
    zeros = _untouched(_reach(array.shape, array.strides) + array.itemsize)
    return np.ndarray(array.shape, array.dtype, zeros, 0, array.strides)


def _untouched(nbytes: int) -> Any:
    """Zeros, (nbytes,) of uint8, for which the system neither takes nor reserves memory before they are written to."""
    if nbytes < _FEW:
        return np.zeros(nbytes, np.uint8)
    try:
        memory = mmap.mmap(-1, nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"a meta tensor of {nbytes} bytes is more than there are addresses for") from error
    return np.frombuffer(memory, np.uint8)


_FEW = 1 << 20
_NORESERVE = 0x4000  # of Linux; the module has the name from Python 3.13 on


def _reach(shape, strides) -> int:
    return 0 if 0 in shape else sum((n - 1) * step for n, step in zip(shape, strides, strict=True))


def _new(shape, dtype=np.float64) -> MetaArray:
    """Of this shape and dtype, in row-major order."""
    shape, dtype = tuple(shape) if isinstance(shape, tuple | list) else (shape,), np.dtype(dtype)
    return MetaArray(shape, dtype, _untouched((math.prod(shape) + 1) * dtype.itemsize))


class _Module:
    """What makes arrays there, by NumPy's names."""

    def __getattr__(self, name: str) -> Any:
        if name in ("empty", "zeros", "ones"):
            return _new
        function = getattr(np, name)
        return lambda *args, **kwargs: _each(described, function(*args, **kwargs))


class _Generator:
    """What draws numbers there: none."""

    def __getattr__(self, name: str) -> Any:
        return lambda shape, dtype, *settings: _new(shape, dtype)


module, generator = _Module(), _Generator()
