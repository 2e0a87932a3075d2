"""Python data to an array: what torch.tensor(data) makes of numbers, nested lists, arrays and tensors."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import stacklevel
from ..core.grad_mode import state
from ..core.quiet import quietly
from ..core.size import Size
from ..core.variable import Variable
from ..core.warned import warn_once
from ._common import is_number, shape_from

_PYTHON_NUMBERS = {bool, int, float}
cast_quietly = quietly(K.cast)  # what is beyond the dtype's numbers is infinite


RANGE_DEPRECATED = (
    "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
    "Python's range builtin. Instead, use torch.arange, which produces values in [start, end)."
)
TO_SCALAR = (
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\nConsider using "
    "tensor.detach() first."
)


def array_of(data, dtype: dtypes.dtype | None = None) -> np.ndarray:
    """A fresh array of `data` (numbers, nested lists, arrays, tensors) in `dtype`, or in the one torch would infer."""
    data = _read(data)
    array = data._data if isinstance(data, Variable) else _to_array(data)
    if dtype is None:
        dtype = _inferred(data, array)
    if array.dtype == dtype.numpy:
        return array.copy()
    if dtype.category == "int" and not isinstance(data, np.ndarray | Variable):
        _refuse_overflow(array, dtype)
    return cast_quietly(array, dtype.numpy)


def legacy_array(args, dtype: dtypes.dtype) -> np.ndarray:
    """What legacy constructors make: Tensor(2, 3) and Tensor(Size) uninitialised, Tensor([1, 2]) of that data."""
    if len(args) == 1 and not isinstance(args[0], int | Size):
        data = args[0]
        if isinstance(data, Variable):
            return data._data.view()
        if isinstance(data, float):
            raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
        array = _to_array(_read(data))
        return array.copy() if array.dtype == dtype.numpy else cast_quietly(array, dtype.numpy)
    shape = shape_from(args) if args else (0,)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return np.empty(shape, dtype.numpy)


def counter_of(args) -> list:
    """The version counter of what legacy_array makes: that of a tensor whose memory it is."""
    return args[0]._counter if len(args) == 1 and isinstance(args[0], Variable) else [0]


def _refuse_overflow(array, dtype):
    """Numbers written out by hand must fit; a negative one may wrap around in uint8, as in C."""
    limits = np.iinfo(dtype.numpy)
    low = limits.min if dtype.is_signed else -limits.max
    top = float(limits.max) if array.dtype.kind == "f" else limits.max  # NaN fails both comparisons
    if array.size and not (low <= array.min() and array.max() <= top):
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")


def _to_array(data) -> np.ndarray:
    if isinstance(data, np.ndarray | np.generic):
        check_memory_of(data)
        return np.asarray(data)
    if isinstance(data, list | tuple) and not _PYTHON_NUMBERS.issuperset(map(type, data)):
        _warn_of_elements(data)
    try:
        array = np.array(_without_tensors(data))
    except ValueError as error:
        if "inhomogeneous" in str(error):
            _name_the_ragged_dim(data)
        if "maximum number of dimension" in str(error):  # NumPy's: 64
            raise ValueError("too many dimensions 'list'") from None
        raise
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None
    if array.dtype.kind in "USO":
        _refuse(data)
    if array.dtype.kind == "c":
        raise TypeError("minitorch2: complex numbers are not supported")
    return array


def _warn_of_elements(data) -> None:
    """torch's warnings, at the line that called the function which called array_of."""
    if any(isinstance(d, np.ndarray) for d in data):
        warnings.warn(
            "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to "
            "a single numpy.ndarray with numpy.array() before converting to a tensor.",
            stacklevel=stacklevel(5),
        )
    elif state.grad and any(isinstance(d, Variable) and d.requires_grad for d in data):
        warnings.warn(TO_SCALAR, stacklevel=stacklevel(5))


def warn_of_read_only(array, kind: str, noun: str) -> None:
    """torch's warning, once, at the line that called from_numpy or frombuffer."""
    if array.flags.writeable:
        return
    means = "writing to this tensor will result in undefined behavior"
    if noun == "buffer":
        means = "you can write to the underlying (supposedly non-writable) buffer using the tensor"
    warn_once(
        f"The given {kind} is not writable, and PyTorch does not support non-writable tensors. This means {means}. You "
        f"may want to copy the {noun} to protect its data or make it writable before converting it to a tensor. This "
        "type of warning will be suppressed for the rest of this program.",
        2,
    )


def check_memory_of(data) -> None:
    """ValueError for NumPy's data with negative strides or in the other byte order."""
    if any(s < 0 for s in data.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array  with "
            "array.copy().) "
        )
    if not data.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
            "currently not supported."
        )


def _without_tensors(data) -> Any:
    """Tensors of one element inside nested lists become numbers, as torch takes them."""
    if isinstance(data, list | tuple):
        return data if _PYTHON_NUMBERS.issuperset(map(type, data)) else [_without_tensors(d) for d in data]
    if isinstance(data, Variable):
        if data._data.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return (data._data if data._data.dtype.kind != "V" else K.widen(data._data)).item()
    return data


def _read(data) -> Any:
    try:
        return _as_lists(data)
    except RecursionError:
        first = data
        while isinstance(first, list | tuple) and first and first[0] is not first:
            first = first[0]
        if isinstance(first, list | tuple) and first:
            raise ValueError(f"too many dimensions '{type(first).__name__}'") from None
        raise TypeError("new(): self-referential lists are incompatible") from None


def _as_lists(data) -> Any:
    """Whatever can be read by number (a deque, a range, an array.array, a program's own class) as a list, inside lists
    too."""
    if isinstance(data, list | tuple):
        return data if _PYTHON_NUMBERS.issuperset(map(type, data)) else [_as_lists(d) for d in data]
    kind = type(data)
    if not (hasattr(kind, "__len__") and hasattr(kind, "__getitem__")):
        return data
    if isinstance(data, str | bytes | dict | np.ndarray | np.generic | Variable):
        return data
    return [_as_lists(data[i]) for i in range(len(data))]


def _name_the_ragged_dim(data, dim=0):
    lengths = [len(d) if isinstance(d, list | tuple) else None for d in data]
    for length in lengths:
        if length is None and any(n is not None for n in lengths):
            raise TypeError(f"not a sequence at dim {dim + 1}: every row must have the same depth")
        if length != lengths[0]:
            raise ValueError(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {length})")
    for d in data:
        _name_the_ragged_dim(d, dim + 1)


def _refuse(data):
    first, nested = data, isinstance(data, list | tuple)
    while isinstance(first, list | tuple) and first:
        first = first[0]
    while isinstance(data, list | tuple) and data:
        data = next((d for d in data if not is_number(d)), data[0])
    if isinstance(data, str):
        if nested and isinstance(first, str):  # a sequence itself
            raise ValueError(f"too many dimensions '{type(data).__name__}'")
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, int):  # beyond 64 bits
        raise ValueError("Overflow when unpacking long long")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _inferred(data, array) -> dtypes.dtype:
    if isinstance(data, np.ndarray | np.generic | Variable):
        return dtypes.from_numpy_dtype(array.dtype.newbyteorder("="))
    found: set[dtypes.dtype] = set()
    _collect_dtypes(data, found)
    if array.dtype.kind == "u" and dtypes.uint8 not in found:
        raise ValueError("Overflow when unpacking long long")
    return functools.reduce(dtypes.promote_types, found) if found else dtypes.get_default_dtype()


def _collect_dtypes(data, found) -> None:
    """The dtypes among the elements: tensors and NumPy's numbers keep theirs."""
    if not isinstance(data, list | tuple | range):
        data = (data,)
    if _PYTHON_NUMBERS.issuperset(map(type, data)):  # a row of them is by far the most common
        found.update(map(dtypes.of_number, {type(d): d for d in data}.values()))
        return
    for d in data:
        if isinstance(d, list | tuple):
            _collect_dtypes(d, found)
        elif isinstance(d, np.ndarray | np.generic | Variable):
            found.add(dtypes.from_numpy_dtype(d._data.dtype if isinstance(d, Variable) else d.dtype))
        else:
            found.add(dtypes.of_number(d))
