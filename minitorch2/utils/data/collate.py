"""Many samples into one batch: default_collate, default_convert and the table of functions that extends
them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...core.dtypes import float64
from ...creation import as_tensor, tensor
from ...ops.joining import stack
from ...tensor import Tensor

_UNSUPPORTED = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars in `data` become tensors, inside dicts, lists and tuples too; all else stays
    as it is.

    What the DataLoader applies to each sample where batches are off (batch_size=None). A tuple becomes a
    list.
    """
    kind = type(data)
    if isinstance(data, Tensor):
        return data
    if kind.__module__ == "numpy" and kind is not np.str_:
        if kind is np.ndarray and _holds_objects(data.dtype):
            return data
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch: Sequence, *, collate_fn_map: dict | None = None) -> Any:
    """The samples in `batch` put together, whatever their structure.

    collate_fn_map: type, or tuple of types -> function(batch, *, collate_fn_map) for the elements. The exact
    type of the first sample is looked up first, then the first entry it is an instance of. Mappings,
    namedtuples and sequences that no entry covers are collated part by part: a tuple becomes a list, other
    kinds keep theirs.

    Raises TypeError for elements of any other type, RuntimeError for sequences of unequal length.
    """
    first = batch[0]
    function = _registered(first, collate_fn_map or {})
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        columns = {key: [sample[key] for sample in batch] for key in first}
        collated = {key: collate(column, collate_fn_map=collate_fn_map) for key, column in columns.items()}
        return _like_mapping(first, collated)
    if not isinstance(first, Sequence):
        raise TypeError(_UNSUPPORTED.format(type(first)))
    if not _is_namedtuple(first) and any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = zip(*batch, strict=False)
    return _like_sequence(first, [collate(column, collate_fn_map=collate_fn_map) for column in columns])


def _registered(sample, collate_fn_map) -> Callable | None:
    if type(sample) in collate_fn_map:
        return collate_fn_map[type(sample)]
    return next((function for types, function in collate_fn_map.items() if isinstance(sample, types)), None)


def _is_namedtuple(data) -> bool:
    return isinstance(data, tuple) and hasattr(data, "_fields")


def _like_mapping(original, items: dict):
    """`items` as the type of `original`; a copy of it keeps what else it carries, a default factory for
    example."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(items)
            return clone
        return type(original)(items)
    except TypeError:  # the type is made in some other way
        return items


def _like_sequence(original, items: list):
    if _is_namedtuple(original):
        return type(original)(*items)
    if isinstance(original, tuple):
        return items
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(original)(items)
    except TypeError:
        return items


def _holds_objects(dtype: np.dtype) -> bool:
    return dtype.kind in "SUO"


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Tensors of one shape, stacked: (N, *shape)."""
    return stack(batch, 0)


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """Arrays of one shape, as one tensor (N, *shape)."""
    if _holds_objects(batch[0].dtype):
        raise TypeError(_UNSUPPORTED.format(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy's scalars, as a tensor (N,) of their dtype."""
    return as_tensor(np.asarray(batch))


def collate_float_fn(batch, *, collate_fn_map=None):
    """Python floats, as a float64 tensor (N,)."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """Python ints or bools, as an int64 or bool tensor (N,)."""
    return tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """Strings stay a list."""
    return batch


default_collate_fn_map: dict[type | tuple[type, ...], Callable] = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence) -> Any:
    """A list of N samples as one batch: tensors, arrays and numbers become tensors with a first dimension of
    N.

    Floats become float64, ints int64, strings stay a list; dicts, namedtuples, lists and tuples are collated
    part by part (a tuple becomes a list). Extend it through `default_collate_fn_map`; see `collate` for the
    rules and errors.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
