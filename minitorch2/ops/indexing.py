"""x[...], x[...] = value, and index_put. How an index is read is in _index.py."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.device import like
from ..core.function import Function
from ..core.grad_mode import state
from ..core.variable import Variable
from ._common import element, fill_array, to_dtype
from ._index import among_slices, append_array, array_from, check_masks, checked_int, take_apart, type_name
from ._inplace import check_history, check_memory, check_writable, inplace, is_partly_in, refuse_overlap, write
from .conversion import _fill_in_place as fill_
from .conversion import copy_
from .index_ops import AliasIndex, Index, IndexPut, IndexPutAdd, explain_out_of_range
from .view_ops import Select
from .views import expand


def getitem(self, index):
    """self[index]: a view for ints, slices, None and Ellipsis; a copy where arrays or masks take part."""
    if type(index) is int:
        return Select.apply(self, (checked_int(index, self._data.shape, 0, alone=True),))
    op, basic, arrays = take_apart(self._data, index)
    if basic is not None:
        self = op.apply(self, basic)
    elif arrays is None:
        return AliasIndex.apply(self, (...,))
    return self if arrays is None else Index.apply(self, among_slices(arrays))


def setitem(self, index, value):
    """self[index] = value: a number, or a tensor that broadcasts to the shape of self[index]."""
    is_tensor = isinstance(value, Variable)
    if not is_tensor and (not isinstance(value, int | float | np.integer)):
        raise TypeError(f"can't assign a {type_name(value)} to a torch.{self.dtype.torch_type}Tensor")
    if self._inference:
        check_history(self)
    op, basic, arrays = take_apart(self._data, index)
    if state.grad and (self.requires_grad or (is_tensor and value.requires_grad)):
        target = self if basic is None else op.apply(self, basic)
        _set_with_gradient(target, arrays, value)
        return
    target = _writable(self._data, basic)
    if arrays is None:
        check_memory(target)
        if is_tensor:
            value = to_dtype(value, target.dtype)
    else:
        if K.on_device(target) or not target.flags.writeable:
            check_memory(target)
        index = among_slices(arrays)
        value = _matching_value(self, target.shape, index, value)
    if isinstance(value, Variable) and value._counter is self._counter:
        _check_apart(target, None if arrays is None else index, value._data)
    if arrays is None and not is_tensor:
        fill_array(target, value, overflows=True)
        self._bump()
        return
    new = like(value._data if isinstance(value, Variable) else element(value, target.dtype, overflows=True), target)
    try:
        if new.ndim > target.ndim or (arrays is not None and new.ndim > 1):
            new = _without_leading_ones(
                value, target.ndim if arrays is None else len(_result_shape(target.shape, index))
            )._data
        target[... if arrays is None else index] = new
    except (ValueError, IndexError, TypeError):
        if is_tensor:
            _explain_failed_write(target.shape, None if arrays is None else index, value)
        elif arrays is not None:
            explain_out_of_range(target.shape, index)
        raise
    self._bump()


def _check_apart(target, index, value) -> None:
    """Raises where the array `value` lies in the memory of the target that it is written to: at places by index, which
    is None for all of them, but not element for element. One number under masks is read first."""
    if index is None:
        refused = value.shape == target.shape and is_partly_in(target, value)
    else:
        masks = all(i.dtype.kind == "b" for i in index if K.is_array(i))
        refused = not (masks and value.size == 1) and is_partly_in(target, value, apart=True)
    if refused:
        refuse_overlap()


def _set_with_gradient(target, arrays, value):
    if arrays is None:
        if isinstance(value, Variable):
            copy_(target, expand(_without_leading_ones(value, target._data.ndim), target._data.shape))
        else:
            check_writable(target)
            fill_(target, value)
        return
    index = among_slices(arrays)
    value = _matching_value(target, target._data.shape, index, value)
    if isinstance(value, Variable) and value._counter is target._counter:
        _check_apart(target._data, index, value._data)
    if not isinstance(value, Variable):
        value = Function.as_tensor(element(value, target._data.dtype, overflows=True))
    check_writable(target)
    write(target, _put(target, index, value), "index_put")


def index_put(input, indices, values, accumulate=False):
    """input with values written (accumulate=True: added) at a tuple of index tensors: out[indices] = values."""
    if not isinstance(indices, tuple | list):
        raise TypeError(
            f"index_put(): argument 'indices' (position 1) must be tuple of Tensors, not {type_name(indices)}"
        )
    for i, item in enumerate(indices):
        if not isinstance(item, Variable):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type_name(item)}")
    arrays: list = []
    for item in indices:  # a 0-d index is an array here, never a select
        append_array(arrays, like(array_from(item, one_dim=True), input._data))
    check_masks(input._data.shape, arrays)
    index = among_slices(arrays)
    value = _matching_value(input, input._data.shape, index, values, single_may_differ=False)
    if not accumulate:
        return _put(input, index, value)
    shape = _result_shape(input._data.shape, index)
    return IndexPutAdd.apply(input, expand(_fitting(value, shape), shape), index)


def _put(input, index, value):
    try:
        if value._data.ndim > 1:
            value = _without_leading_ones(value, len(_result_shape(input._data.shape, index)))
        return IndexPut.apply(input, value, index)
    except (ValueError, IndexError):
        _explain_failed_write(input._data.shape, index, value)
        raise


def _writable(array, basic):
    """The view of array at a basic index. torch lets expanded memory be written through an index that is not
    itself expanded; NumPy marks all of it read-only."""
    if basic is None:
        view = array[...]
    else:
        view = array[basic]
        if isinstance(view, np.generic):
            view = array[(*basic, ...)]
    if not K.on_device(view) and not view.flags.writeable and 0 in array.strides:
        with contextlib.suppress(ValueError):  # where the owner of the memory is read-only, too
            view.setflags(write=True)
    return view


def _matching_value(target, shape, index, value, single_may_differ=True):
    """The value in the target's dtype. By index, torch converts a number, and one element under a mask, no
    more."""
    if not isinstance(value, Variable) or value._data.dtype == target._data.dtype:
        return value
    masked = any(K.is_array(i) and i.dtype.kind == "b" for i in index)
    if single_may_differ and masked and value._data.size == 1:
        return to_dtype(value, target._data.dtype)
    _fitting(value, _result_shape(shape, index))
    raise RuntimeError(
        "Index put requires the source and destination dtypes match, got "
        f"{target.dtype.torch_type} for the destination and {value.dtype.torch_type} for the source."
    )


def _without_leading_ones(value, ndim) -> Any:
    """value without the leading dims of size 1 that are more than it needs."""
    shape = value._data.shape
    skip = 0
    while len(shape) - skip > ndim and shape[skip] == 1:
        skip += 1
    return value.reshape(shape[skip:]) if skip else value


def _result_shape(shape, index) -> tuple[int, ...]:
    """The shape of x[index] for an x of `shape`."""
    if any(K.on_device(i) for i in index):  # only the shapes matter, and how many elements a mask lets through
        index = tuple(j for i in index for j in _on_host(i))
    try:
        return np.broadcast_to(np.empty(()), shape)[index].shape
    except IndexError:
        explain_out_of_range(shape, index)
        raise


def _on_host(i):
    if isinstance(i, slice):
        return [i]
    if i.dtype.kind == "b":
        return [np.zeros(int(i.sum()), np.int64)] * i.ndim
    return [np.zeros(i.shape, np.int64)]


def _fitting(value, shape):
    value = _without_leading_ones(value, len(shape))
    have = value._data.shape
    if len(have) > len(shape) or any(n not in (1, m) for n, m in zip(have[::-1], shape[::-1], strict=False)):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(have)} cannot be broadcast to indexing result "
            "of shape "
            f"{list(shape)}"
        )
    return value


def _explain_failed_write(shape, index, value):
    if index is None:
        expand(_without_leading_ones(value, len(shape)), shape)
    else:
        explain_out_of_range(shape, index)
        _fitting(value, _result_shape(shape, index))


index_put_ = inplace(index_put)


listed(globals())


class IndexingMethods:
    __getitem__, __setitem__ = getitem, setitem
    index_put, index_put_ = index_put, index_put_
