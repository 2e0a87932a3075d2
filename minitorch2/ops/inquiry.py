"""Questions about tensors and dtypes, and bringing shapes together."""

from __future__ import annotations

import numpy as np

from ..core import dtypes
from ..core.size import Size
from ..core.variable import Variable
from . import _common
from .joining import cat
from .views import expand, reshape, unsqueeze


def is_tensor(obj) -> bool:
    """Whether obj is a Tensor."""
    return isinstance(obj, Variable)


def is_floating_point(input) -> bool:
    """Whether input's dtype is floating."""
    return input.dtype.is_floating_point


def is_complex(input) -> bool:
    """Always False: there are no complex tensors here."""
    _common.require_tensor("is_complex", input)
    return False


def is_nonzero(input) -> bool:
    """Whether the one element of input is not zero."""
    _common.require_tensor("is_nonzero", input)
    return bool(input)


def is_same_size(input, other) -> bool:
    """Whether the two have one shape."""
    return input._data.shape == other._data.shape


def numel(input) -> int:
    """The number of elements."""
    _common.require_tensor("numel", input)
    return input._data.size


def result_type(tensor1, tensor2) -> dtypes.dtype:
    """The dtype that arithmetic on the two (tensors or numbers) gives."""
    return _common.result_type(tensor1, tensor2)


def can_cast(from_, to) -> bool:
    """Whether an in-place result of dtype `from_` may be stored in a tensor of dtype `to`."""
    return dtypes.can_cast(from_, to)


def broadcast_shapes(*shapes) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(
            f"Shape mismatch: objects cannot be broadcast to a single shape: {', '.join(map(str, shapes))}"
        ) from None


def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    shape = _common.broadcast_shapes("broadcast_tensors", *(x._data.shape for x in tensors))
    return tuple(expand(x, shape) for x in tensors)


def atleast_1d(*tensors):
    """0-d tensors as 1-d ones."""
    return _each(lambda x: reshape(x, 1) if x._data.ndim == 0 else x, tensors)


def atleast_2d(*tensors):
    """With at least two dims: missing ones in front."""
    return _each(lambda x: reshape(x, (1, -1)) if x._data.ndim < 2 else x, tensors)


def atleast_3d(*tensors):
    """With at least three dims: vectors as (1, n, 1), matrices as (m, n, 1)."""

    def three(x):
        if x._data.ndim < 2:
            return reshape(x, (1, -1, 1))
        return unsqueeze(x, -1) if x._data.ndim == 2 else x

    return _each(three, tensors)


def _each(function, tensors):
    if len(tensors) == 1:
        return function(tensors[0]) if isinstance(tensors[0], Variable) else tuple(map(function, tensors[0]))
    return tuple(map(function, tensors))


def column_stack(tensors):
    """Side by side; 1-d tensors as columns."""
    return cat([reshape(x, (-1, 1)) if x._data.ndim < 2 else x for x in tensors], dim=1)


class InquiryMethods:
    is_nonzero, is_same_size = is_nonzero, is_same_size
