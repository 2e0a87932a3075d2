"""Questions about tensors and dtypes, and bringing shapes together."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..core import dtypes
from ..core.size import Size
from ..core.variable import Variable, type_name
from . import _common
from .complex_names import ComplexNameMethods
from .joining import cat, some
from .plain_answers import PlainAnswerMethods
from .reduce import sum as sum_
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


@_common.also_called(scalar="other", scalar1="tensor", scalar2="other")
def result_type(tensor, other) -> dtypes.dtype:
    """The dtype that arithmetic on the two (tensors or numbers) gives."""
    return _common.result_type(tensor, other)


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
    """The tensors expanded to their common shape; one that has it is handed back itself."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    shape = _common.broadcast_shapes("broadcast_tensors", *(x._data.shape for x in tensors))
    return tuple(x if x._data.shape == shape else expand(x, shape) for x in tensors)


def sum_to_size(self, *sizes, size=None):
    """The sum over the dims along which a tensor of this size would have been broadcast to self's shape: expand undone.
    self where that is its size."""
    if not sizes and size is None:
        raise TypeError('sum_to_size() missing 1 required positional arguments: "size"')
    shape, have = _common.shape_from(sizes if size is None else size), self._data.shape
    extra = len(have) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, have[extra:], strict=True)):
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(have)}}}.")
    if not shape:
        return sum_(self)
    if shape == have:
        return self
    dims = [d for d, m in enumerate(have) if d < extra or (shape[d - extra] == 1 and m != 1)]
    return reshape(sum_(self, dims, keepdim=True), shape) if dims else self


def is_inference(input) -> bool:
    """Whether input was made in inference mode."""
    return input.is_inference()


def is_signed(input) -> bool:
    """Whether input's dtype has negative numbers."""
    return input.is_signed()


def is_distributed(input) -> bool:
    """Always False: no tensor is spread over several processes."""
    _common.require_tensor("is_distributed", input)
    return False


def get_device(input) -> int:
    """The number of the GPU that input is on; -1 for the CPU."""
    return input.get_device()


def typename(obj) -> str:
    """The name of the tensor type of a tensor, else that of an object's class, or of a class, with its module."""
    if isinstance(obj, Variable):
        return cast(Any, obj).type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None) or ""
    return named.__qualname__ if module in ("", "builtins") else f"{module}.{named.__qualname__}"


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
        if isinstance(tensors[0], Variable):
            return function(tensors[0])
        (tensors,) = tensors
    for i, x in enumerate(tensors):
        if not isinstance(x, Variable):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type_name(x)}")
    return tuple(map(function, tensors))


def column_stack(tensors):
    """Side by side; 1-d tensors as columns."""
    return cat([reshape(x, (-1, 1)) if x._data.ndim < 2 else x for x in some("column_stack", tensors)], dim=1)


class InquiryMethods(ComplexNameMethods, PlainAnswerMethods):
    is_nonzero, is_same_size, is_distributed, sum_to_size = is_nonzero, is_same_size, is_distributed, sum_to_size
