"""How many elements are not zero, and whether all or any are."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core import dtypes
from ..core.function import Function
from ..core.memory_order import in_c_order
from ._common import numpy_names, to_dtype
from .reduce import reduced_dims


@numpy_names
def all(input, dim=None, keepdim=False):
    """Whether every element is true (over all, or over dim(s)). uint8 for uint8, else bool."""
    return _logical(K.all, input, dim, keepdim)


@numpy_names
def any(input, dim=None, keepdim=False):
    """Whether any element is true (over all, or over dim(s)). uint8 for uint8, else bool."""
    return _logical(K.any, input, dim, keepdim)


def _logical(reduce, input, dim, keepdim):
    data = _nonzero(input)
    if isinstance(dim, tuple | list) and not dim:  # here an empty list is no dims, not all of them
        result = data
    else:
        result = in_c_order(K.asarray(reduce(data, axis=reduced_dims(dim, input), keepdims=keepdim)))
    return Function.as_tensor(result.astype(input._data.dtype) if input._data.dtype.kind == "u" else result)


def _nonzero(input):
    data = input._data if input._data.dtype.kind != "V" else K.widen(input._data)
    return K.asarray(data != 0)


@numpy_names
def count_nonzero(input, *dims, dim=None):
    """How many elements are not zero, over all or over dim(s). int64."""
    dim = dims[0] if len(dims) == 1 else dims or dim
    nonzero = to_dtype(input, dtypes.bool.numpy)._data
    return Function.as_tensor(in_c_order(K.asarray(nonzero.sum(axis=reduced_dims(dim, input), dtype=K.int64))))


class TruthMethods:
    all, any, count_nonzero = all, any, count_nonzero
