"""Elements by mask or by their number in the flattened tensor: masked_fill, masked_select, take, put."""

from __future__ import annotations

import numpy as np

from ..core.dtypes import c_name
from ..core.meta import refuse
from ._common import broadcast_shapes, can_be_asked, wrap_dim
from ._inplace import inplace
from .gathering import gather, zero_dim_value
from .index_ops import IndexPut, IndexPutAdd, MaskedFill, MaskedScatter, MaskedSelect, Take
from .views import broadcast_to


def masked_fill(input, mask, value):
    """value (a number or 0-d tensor) where mask, input elsewhere; input and mask broadcast."""
    if mask._data.dtype.kind != "b":
        kind = c_name(mask._data.dtype)
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {kind}")
    value = zero_dim_value("masked_fill_", input, value)
    broadcast_shapes("masked_fill", mask._data.shape, input._data.shape)
    return MaskedFill.apply(mask, value, input)


def masked_select(input, mask):
    """The elements of input where mask, in row-major order: 1-d; input and mask broadcast."""
    if mask._data.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    refuse("masked_select", mask._data)
    return MaskedSelect.apply(*_broadcast("masked_select", input, mask))


def masked_scatter(input, mask, source):
    """input with the first elements of source written where mask, in row-major order; input and mask
    broadcast."""
    if mask._data.dtype.kind != "b":
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype.torch_type}"
        )
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{input.dtype.torch_type} and {source.dtype.torch_type}"
        )
    input, mask = _broadcast("masked_scatter", input, mask)
    if can_be_asked(mask._data) and source._data.size < mask._data.sum():
        raise RuntimeError("Number of elements of source < number of ones in mask")
    return MaskedScatter.apply(input, mask, source)


def _broadcast(op, input, mask):
    if input._data.shape == mask._data.shape:
        return input, mask
    shape = broadcast_shapes(op, mask._data.shape, input._data.shape)
    return (x if x._data.shape == shape else broadcast_to(x, shape) for x in (input, mask))


def take(input, index):
    """The elements of the flattened input at index, in index's shape. Negative indices count from the end."""
    _require_long("take", index)
    _check_numbers(index._data, input._data.size)
    return Take.apply(input, index._data.copy())


def put(input, index, source, accumulate=False):
    """input with source's elements written (or added) at index, which counts in the flattened tensor."""
    _require_long("put_", index)
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.torch_type} and source.dtype = {source.dtype.torch_type}"
        )
    if source._data.size != index._data.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source._data.size}, index.numel() = {index._data.size}"
        )
    _check_numbers(index._data, input._data.size)
    flat, values, where = input.reshape(-1), source.reshape(-1), (index._data.reshape(-1).copy(),)
    return (IndexPutAdd if accumulate else IndexPut).apply(flat, values, where).reshape(input._data.shape)


def _require_long(op, index):
    if index._data.dtype != np.int64:
        raise RuntimeError(f"{op}(): Expected a long tensor for index, but got {index.dtype.torch_type}")


def _check_numbers(index, n):
    if not can_be_asked(index):
        return
    bad = index[(index < -n) | (index >= n)]
    if bad.size:
        raise IndexError(f"out of range: tried to access index {bad[0]} on a tensor of {n} elements.")


def take_along_dim(input, indices, dim=None):
    """gather, with input and indices broadcast against each other apart from `dim`; without dim, on both
    flattened."""
    if dim is None:
        return gather(input.reshape(-1), 0, _wrapped(indices.reshape(-1), input._data.size))
    if input._data.ndim != indices._data.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input._data.ndim} dimensions for input, and {indices._data.ndim} dimensions for indices"
        )
    dim = wrap_dim(dim, input._data.ndim)
    if not input._data.ndim:
        return gather(input, 0, _wrapped(indices, 1))
    have, want = list(input._data.shape), list(indices._data.shape)
    n, m = have[dim], want[dim]
    have[dim] = want[dim] = 1
    common = list(broadcast_shapes("take_along_dim", tuple(have), tuple(want)))
    indices = broadcast_to(_wrapped(indices, n), (*common[:dim], m, *common[dim + 1 :]))
    return gather(broadcast_to(input, (*common[:dim], n, *common[dim + 1 :])), dim, indices)


def _wrapped(indices, n):
    """Negative indices counted from the front."""
    return indices + n * (indices < 0).to(indices.dtype) if indices._data.dtype.kind == "i" else indices


class MaskingMethods:
    masked_fill, masked_select, masked_scatter = masked_fill, masked_select, masked_scatter
    masked_fill_, masked_scatter_ = inplace(masked_fill, reads_first=True), inplace(masked_scatter, reads_first=True)
    take, put, take_along_dim = take, put, take_along_dim
    put_ = inplace(put)
