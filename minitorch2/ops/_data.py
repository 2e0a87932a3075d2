"""Python data to an array: what torch.tensor(data) makes of numbers, nested lists, arrays and tensors."""

from __future__ import annotations

import minitorch2_kernels as K
import numpy as np

from ..core import dtypes
from ..core.variable import Variable
from ._common import is_number


def array_of(data, dtype: dtypes.dtype | None = None) -> np.ndarray:
    """A fresh array of `data` (numbers, nested lists, arrays, tensors) in `dtype`, or in the one torch would infer."""
    array = data._data if isinstance(data, Variable) else _to_array(data)
    if dtype is None:
        dtype = _inferred(data, array)
    if array.dtype == dtype.numpy:
        return array.copy()
    if array.dtype.kind == "f" and dtype.category == "int" and not isinstance(data, np.ndarray | Variable):
        if not np.isfinite(array).all():
            raise RuntimeError("cannot convert float NaN or infinity to integer")
    return K.cast(array, dtype.numpy)


def _to_array(data) -> np.ndarray:
    if isinstance(data, np.ndarray | np.generic):
        return np.asarray(data)
    try:
        array = np.array(_without_tensors(data))
    except ValueError as error:
        if "inhomogeneous" in str(error):
            _name_the_ragged_dim(data)
        raise
    except OverflowError:
        raise RuntimeError("Overflow when unpacking long") from None
    if array.dtype.kind in "USO":
        _refuse(data)
    if array.dtype.kind == "c":
        raise TypeError("minitorch2: complex numbers are not supported")
    return array


def _without_tensors(data):
    """Variables of one element inside nested lists become numbers, as torch takes them."""
    if isinstance(data, list | tuple):
        return [_without_tensors(d) for d in data]
    if isinstance(data, Variable):
        return (data._data if data._data.dtype.kind != "V" else K.widen(data._data)).tolist()
    return data


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
    while isinstance(data, list | tuple) and data:
        data = next((d for d in data if not is_number(d)), data[0])
    if isinstance(data, str):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _inferred(data, array) -> dtypes.dtype:
    if isinstance(data, np.ndarray | np.generic | Variable):
        return dtypes.from_numpy_dtype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f" or array.size == 0:
        found = next(_typed_elements(data), None)
        return found or dtypes.get_default_dtype()
    if array.dtype.kind == "b":
        return dtypes.bool
    if array.dtype.kind == "u":
        raise RuntimeError("Overflow when unpacking long")
    return dtypes.int64


def _typed_elements(data):
    """The dtypes of tensors and NumPy floats among the elements: they keep theirs."""
    if isinstance(data, list | tuple):
        for d in data:
            yield from _typed_elements(d)
    elif isinstance(data, Variable):
        if data._data.dtype.kind in "fV":
            yield dtypes.from_numpy_dtype(data._data.dtype)
    elif isinstance(data, np.ndarray | np.floating):
        yield dtypes.from_numpy_dtype(np.asarray(data).dtype)
