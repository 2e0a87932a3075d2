"""Taking an index apart, as torch does it.

Ints, slices, None and Ellipsis make a view first; arrays and masks then read from, or write to, that view.
(NumPy lets an int beside an array take part in the broadcasting instead, so x[0, :, rows] has another shape
there.) From there on the rule is NumPy's: the broadcast shape of the arrays stands where they stood if they
are neighbours, else in front.
"""

from __future__ import annotations

import operator
import warnings
from types import EllipsisType
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.device import like
from ..core.dtypes import INDICES
from ..core.meta import refuse
from ..core.variable import Variable, type_name
from ._data import array_of
from .index_ops import UnsqueezeIndex
from .view_ops import FULL, Select, Slice


def take_apart(data, index) -> tuple[Any, Any, Any]:
    """(op, basic, arrays) of an index into this array: the view op and its index, or None where that changes nothing;
    the arrays, where `data` lies, one per dim of the view and None for a dim without, or None where there are none."""
    shape = data.shape
    if type(index) is slice:
        if not shape:
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
        return Slice, (_checked_slice(index),), None
    if type(index) is int:
        return Select, (checked_int(index, shape, 0, alone=True),), None
    items = index if type(index) is tuple else _as_items(index)
    if len(items) <= len(shape) and all(type(i) is int or type(i) is slice for i in items):
        return _take_apart_plain(shape, items)
    if len(items) <= len(shape) and (all(map(_is_plain, items)) or (len(items) == 1 and _is_mask(items[0], shape))):
        arrays = []
        for i in items:
            append_array(arrays, like(array_from(i), data))
        return None, None, arrays
    items: Any = [like(array_from(i), data) if _is_array_like(i) else i for i in items]
    used = sum(_dims_used(i) for i in items)
    if used > len(shape):
        if not shape and not isinstance(index, tuple):
            raise IndexError(_NO_DIMS)
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    skipped = len(shape) - used  # the dims that the first Ellipsis stands for; a second one stands for none

    op, basic, arrays, dim = None, [], [], 0
    for item in items:
        if isinstance(item, slice):
            item = _checked_slice(item)
            op = op if item == FULL else Slice
            basic.append(item)
            arrays.append(None)
            dim += 1
        elif item is None:
            op = UnsqueezeIndex
            basic.append(None)
            arrays.append(None)
        elif item is ...:
            basic.extend([FULL] * skipped)
            arrays.extend([None] * skipped)
            dim, skipped = dim + skipped, 0
        elif K.is_array(item) and (item.ndim or item.dtype.kind == "b"):
            op = op if item.ndim else UnsqueezeIndex
            basic.extend([FULL] * _dims_used(item) or [None])
            append_array(arrays, item)
            dim += _dims_used(item)
        else:
            op = Select
            # CuPy's arrays have no __index__
            basic.append(checked_int(int(item) if K.is_array(item) else item, shape, dim))
            dim += 1
    if all(a is None for a in arrays):
        arrays = None
    elif any(K.is_array(a) and a.dtype.kind == "b" for a in arrays):
        check_masks(np.broadcast_to(np.empty(()), shape)[tuple(basic)].shape, arrays)
    return op, tuple(basic) if op else None, arrays


def _take_apart_plain(shape, items):
    """take_apart for ints and slices alone, the common case."""
    op, basic = None, items
    for dim, item in enumerate(items):
        if type(item) is int:
            n = shape[dim]
            if not -n <= item < n:
                raise IndexError(f"index {item} is out of bounds for dimension {dim} with size {n}")
            op = Select
        elif item != FULL:
            checked = _checked_slice(item)
            if checked is not item:
                basic = (*basic[:dim], checked, *basic[dim + 1 :])
            op = Slice
    return op, basic if op else None, None


_NO_DIMS = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to "
    "convert a 0-dim tensor "
    "to a number"
)


def _as_items(index):
    """The items of an index that is no tuple. A list that holds sequences or slices was a tuple in old
    NumPy, and for torch still is."""
    if not isinstance(index, list) or len(index) >= 32:
        return (index,)
    nested = Variable | list | tuple | slice | np.ndarray | range
    if not any(i is None or i is ... or isinstance(i, nested) for i in index):
        return (index,)
    warnings.warn(
        "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; "
        "use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, "
        "x[torch.tensor(seq)], which will result either in an error or a different result",
        UserWarning,
        stacklevel=4,
    )
    return tuple(index)


def _is_array_like(item) -> bool:
    if isinstance(item, int | slice | EllipsisType) and not isinstance(item, bool):
        return False
    if item is None or isinstance(item, np.integer):
        return False
    if isinstance(item, bool | Variable | np.ndarray | list | tuple | range):
        return True
    if isinstance(item, float | complex | str | bytes | dict | np.generic) or not hasattr(item, "__index__"):
        if isinstance(item, str):
            raise TypeError("new(): invalid data type 'str'")
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
            "indices (got "
            f"{type_name(item)})"
        )
    return False


_FOR_INDICES = INDICES | {np.dtype(np.uint8), np.dtype(np.bool_)}


def _is_plain(item) -> bool:
    return isinstance(item, Variable) and item._data.dtype in INDICES and item._data.ndim > 0


def _is_mask(item, shape) -> bool:
    """Whether it is a mask of the first dims of `shape`."""
    mask = item._data if isinstance(item, Variable) else None
    return mask is not None and mask.dtype.kind == "b" and mask.ndim > 0 and mask.shape == shape[: mask.ndim]


def array_from(item, one_dim=False) -> Any:
    """int64 indices or a mask, in memory of its own: the graph may keep it."""
    if isinstance(item, Variable):
        array = item._data
        if array.dtype not in _FOR_INDICES and not (array.dtype.kind == "i" and not array.ndim):
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    elif isinstance(item, bool):
        array = np.asarray(item)
    else:
        array = array_of(list(item) if isinstance(item, range) else item)
        if array.dtype.kind == "f" and not array.size:
            array = array.astype(np.int64)
        elif array.dtype.kind not in "iub":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if array.dtype == np.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
            UserWarning,
            stacklevel=4,
        )
        array = K.asarray(array != 0)
    if array.dtype.kind == "b":
        refuse("index", array)
    if one_dim and not array.ndim and array.dtype.kind != "b":
        array = array.reshape(1)
    return array.astype(np.bool_ if array.dtype.kind == "b" else np.int64)


def _dims_used(item) -> int:
    if item is None or item is ...:
        return 0
    return item.ndim if K.is_array(item) and item.dtype.kind == "b" else 1


def append_array(arrays, array) -> None:
    """Adds an index array or a mask to the dims of `arrays`; a mask takes as many as it has."""
    if array.dtype.kind == "b" and array.ndim:
        arrays.append(array)
        arrays.extend([FULL] * (array.ndim - 1))  # placeholders: these dims belong to the mask
    elif array.dtype.kind == "b":  # True reads all of a new dim of size 1, False none of it
        arrays.append(K.namespace(array).zeros(1 if array else 0, np.int64))
    else:
        arrays.append(array)


def check_masks(shape, arrays) -> None:
    """Raises torch's error for a mask that has another shape than the dims it stands for."""
    for dim, mask in enumerate(arrays):
        if not K.is_array(mask) or mask.dtype.kind != "b":
            continue
        for i, n in enumerate(mask.shape):
            if dim + i >= len(shape) or n != shape[dim + i]:
                raise IndexError(
                    f"The shape of the mask {list(mask.shape)} at index {i} does not match the shape of "
                    "the indexed "
                    f"tensor {list(shape)} at index {dim + i}"
                )


def among_slices(arrays) -> tuple:
    """The index NumPy takes: full slices for dims without an array; a mask stays one if it stands alone."""
    real = [a for a in arrays if K.is_array(a)]
    alone = len(real) == 1
    index: list = []
    for a in arrays:
        if a is None:
            index.append(FULL)
        elif K.is_array(a):
            if a.dtype.kind == "b" and not alone:
                index.extend(a.nonzero())
            else:
                index.append(a)
    while isinstance(index[-1], slice):
        index.pop()
    if not alone:
        chosen = [i for i in index if not isinstance(i, slice)]
        try:
            np.broadcast_shapes(*(i.shape for i in chosen))
        except ValueError:
            shapes = ", ".join(str(list(i.shape)) for i in chosen)
            raise IndexError(
                f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
            ) from None
    return tuple(index)


def checked_int(index, shape, dim, alone=False) -> int:
    if not shape and alone:
        raise IndexError(_NO_DIMS)
    i, n = operator.index(index), shape[dim]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {n}")
    return i


def _checked_slice(item: slice) -> slice:
    start, stop, step = item.start, item.stop, item.step
    if step is not None:
        step = operator.index(step)
        if step <= 0:
            raise ValueError("step must be greater than zero" if step else "slice step cannot be zero")
    if (start is None or type(start) is int) and (stop is None or type(stop) is int):
        return item
    try:
        first, last = (None if bound is None else operator.index(bound) for bound in (start, stop))
        return slice(first, last, step)
    except TypeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
