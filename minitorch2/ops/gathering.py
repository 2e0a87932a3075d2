"""Whole slices, or single elements, along one dim by an index tensor: index_select, index_add, gather."""

from __future__ import annotations

from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import listed
from ..core.function import Function
from ..core.variable import Variable
from ._common import element, fitting, to_dtype, within, wrap_dim
from ._inplace import inplace
from .index_ops import Gather, Index, IndexAdd, IndexFill, IndexPut, IndexSelect


def index_select(input, dim, index):
    """The slices of input at a 1-d index along `dim`."""
    dim = wrap_dim(dim, input._data.ndim)
    if index._data.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._data.dtype not in dtypes.INDICES:
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if not input._data.ndim:
        if index._data.size != 1:
            raise RuntimeError(
                f"index_select(): Index to scalar can have only 1 value, got {index._data.size} value(s)"
            )
        return input.reshape(1).index_select(0, index).reshape(())
    bad = _out_of_range(index._data, input._data.shape[dim])
    if bad is not None:
        n = input._data.shape[dim]
        if dim == 1:  # torch's loops differ, and so do their errors
            raise RuntimeError(f"INDICES element is out of DATA bounds, id={bad} axis_dim={n}")
        if n == 0 and input._data.ndim > 1:
            raise RuntimeError("index_select(): self indexing axis dim should be positive")
        raise IndexError("index out of range in self")
    return IndexSelect.apply(input, _along(dim, index._data))


def index_add(input, dim, index, source, *, alpha=1):
    """input with alpha * source added to the slices at index along `dim`; what repeats in index adds up."""
    dim, shape = wrap_dim(dim, input._data.ndim), input._data.shape
    check_slices("index_add_", input, dim, index, source)
    alpha = fitting(alpha, source._data.dtype)
    source = source if alpha == 1 else source * alpha
    if not shape:
        return IndexAdd.apply(input.reshape(1), source.reshape(1), _along(0, index._data)).reshape(())
    return IndexAdd.apply(input, source, _along(dim, index._data))


def check_slices(name, input, dim, index, source) -> None:
    """Raises torch's errors where source is not one slice of input along `dim` for each index."""
    _check_vector(name, index)
    if input._data.dtype != source._data.dtype:
        raise RuntimeError(
            f"{name}(): self ({input.dtype.torch_type}) and source ({source.dtype.torch_type}) must have "
            "the same "
            "scalar type"
        )
    shape, have, n = input._data.shape, source._data.shape, index._data.size
    if have and dim < len(have) and have[dim] != n:
        raise RuntimeError(
            f"{name}(): Number of indices ({n}) should be equal to source.size(dim): ({have[dim]}), for dim: {dim}"
        )
    if len(have) != len(shape) or have[:dim] + have[dim + 1 :] != shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
            "self.shape = "
            f"{list(shape)} source.shape = {list(have)}"
        )
    if shape and _out_of_range(index._data, shape[dim]) is not None:
        raise IndexError("index out of range in self")


def index_copy(input, dim, index, source):
    """input with the slices at index along `dim` replaced by source's."""
    dim = wrap_dim(dim, input._data.ndim)
    _check_vector("index_copy_", index)
    if input._data.dtype != source._data.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.torch_type} and (source) {source.dtype.torch_type}"
        )
    shape, have, n = input._data.shape, source._data.shape, index._data.size
    if not shape:
        return index_copy(input.reshape(1), 0, index, source.reshape(1)).reshape(())
    if len(have) != len(shape):
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must "
            "match. Source "
            f"dimensionality ({len(have)}), destination dimensionality ({len(shape)})"
        )
    if have[:dim] + have[dim + 1 :] != shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{list(shape[:dim] + shape[dim + 1 :])} at dimension {dim} and source slice shape: "
            f"{list(have[:dim] + have[dim + 1 :])} at dimension {dim}."
        )
    if have[dim] != n:
        raise IndexError(f"index_copy_(): Number of indices ({n}) should be equal to source.size(dim) ({have[dim]})")
    bad = _out_of_range(index._data, shape[dim])
    if bad is not None:
        raise IndexError(f"index_copy_(): index {bad} is out of bounds for dimension {dim} with size {shape[dim]}")
    return IndexPut.apply(input, source, _along(dim, index._data))


def index_fill(input, dim, index, value):
    """input with the slices at index along `dim` filled with a number (or a 0-d tensor)."""
    dim = wrap_dim(dim, input._data.ndim)
    if index._data.dtype != np.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    value = zero_dim_value("index_fill_", input, value)
    if not input._data.ndim:
        return index_fill(input.reshape(1), 0, index, value).reshape(())
    n = input._data.shape[dim]
    if not within(index._data + n, 2 * n):
        bad = index._data[(index._data < -n) | (index._data >= n)]
        raise IndexError(f"index {bad.reshape(-1)[0]} is out of bounds for dimension {dim} with size {n}")
    places = index._data.reshape(-1) % max(n, 1)
    filled = K.index_add(K.zeros_like(places, shape=(n,)), places, K.ones_like(places)) > 0
    shape = [n if d == dim else 1 for d in range(input._data.ndim)]
    return IndexFill.apply(Function.as_tensor(filled.reshape(shape)), value, input)


def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1, and so on; out has index's shape.

    NotImplementedError for sparse_grad=True.
    """
    if sparse_grad:
        raise NotImplementedError(
            "minitorch2: gather(sparse_grad=True) is not supported: there are no sparse gradients; use False"
        )
    dim = wrap_dim(dim, input._data.ndim)
    if not index._data.size:
        return Index.apply(input.reshape(-1), (index._data.astype(np.int64),))
    if index._data.dtype not in dtypes.INDICES:
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    shape, want = input._data.shape or (1,), index._data.shape or (1,)
    if len(want) != len(shape):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, m) in enumerate(zip(want, shape, strict=True)):
        if d != dim and n > m:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(want)} to be no larger than self "
                f"{list(shape)} apart from dimension {dim}"
            )
    refuse_out_of_range(index._data, dim, shape[dim])
    if not input._data.ndim or not index._data.ndim:
        return Gather.apply(input.reshape(shape), as_int64(index).reshape(want), dim).reshape(index._data.shape)
    return Gather.apply(input, as_int64(index), dim)


def _check_vector(name, index):
    if index._data.ndim > 1:
        raise IndexError(f"{name}(): Index should have dimension 1 or 0 (got {index._data.ndim})")
    if index._data.dtype not in dtypes.INDICES:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index but got: {index.dtype.torch_type}")


def _along(dim, index):
    return (slice(None),) * dim + (index.reshape(-1).astype(np.int64),)


def as_int64(index):
    return to_dtype(index, dtypes.int64.numpy)


def zero_dim_value(name, input, value: Any):
    """A number or 0-d tensor as a 0-d tensor of input's dtype."""
    if not isinstance(value, Variable):
        return Function.as_tensor(element(value, input._data.dtype))
    if value._data.ndim:
        raise RuntimeError(
            f"{name} only supports a 0-dimensional value tensor, but got tensor with {value._data.ndim} dimension(s)."
        )
    if value._data.dtype != input._data.dtype and type(value._data) is np.ndarray:  # a GPU's would be waited for
        fitting(Function.as_tensor(value._data).item(), input._data.dtype)
    return to_dtype(value, input._data.dtype)


def refuse_out_of_range(index, dim, n):
    bad = _out_of_range(index, n)
    if bad is not None:
        raise RuntimeError(f"index {bad} is out of bounds for dimension {dim} with size {n}")


def _out_of_range(index, n):
    """The first element that is not in [0, n), or None."""
    if within(index, n):
        return None
    return int(index[(index < 0) | (index >= n)].reshape(-1)[0])


listed(globals())


class GatheringMethods:
    index_select, index_add, index_copy, index_fill, gather = (index_select, index_add, index_copy, index_fill, gather)
    index_add_, index_copy_ = inplace(index_add), inplace(index_copy)
    index_fill_ = inplace(index_fill, reads_first=True)
