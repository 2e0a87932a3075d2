"""tensor_split and its shorthands: pieces by count or by the places to cut at, and the stacks that undo them."""

from __future__ import annotations

import itertools
import operator

from ..core.variable import Variable
from ._common import wrap_dim
from .inquiry import atleast_3d
from .joining import cat
from .views import split


def tensor_split(input, indices_or_sections, dim=0):
    """Views along `dim`: so many of nearly equal size, or cut at the given indices."""
    if input._data.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim]
    if isinstance(indices_or_sections, Variable):
        indices_or_sections = indices_or_sections._data.tolist()
    if isinstance(indices_or_sections, tuple | list):
        cuts = [slice(0, operator.index(i)).indices(n)[1] for i in indices_or_sections]
        edges = itertools.pairwise([0, *cuts, n])
        return tuple(input.narrow(dim, start, max(end - start, 0)) for start, end in edges)
    sections = operator.index(indices_or_sections)
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    size, larger = divmod(n, sections)
    return split(input, [size + 1] * larger + [size] * (sections - larger), dim)


def hsplit(input, indices_or_sections):
    """tensor_split along the second dim; the first, for 1-d tensors. A count must divide the size."""
    if input._data.ndim < 1:
        raise RuntimeError(
            "torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!"
        )
    return _even("hsplit", input, indices_or_sections, 0 if input._data.ndim == 1 else 1)


def vsplit(input, indices_or_sections):
    """tensor_split along the first dim. A count must divide the size."""
    if input._data.ndim < 2:
        raise RuntimeError(
            "torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with "
            f"{input._data.ndim} dimensions!"
        )
    return _even("vsplit", input, indices_or_sections, 0)


def dsplit(input, indices_or_sections):
    """tensor_split along the third dim. A count must divide the size."""
    if input._data.ndim < 3:
        raise RuntimeError(
            "torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with "
            f"{input._data.ndim} dimensions!"
        )
    return _even("dsplit", input, indices_or_sections, 2)


def _even(op, input, indices_or_sections, dim):
    n = input._data.shape[dim]
    if isinstance(indices_or_sections, int) and (indices_or_sections == 0 or n % indices_or_sections):
        raise RuntimeError(
            f"torch.{op} attempted to split along dimension {dim}, but the size of the dimension {n} is not divisible "
            f"by the split_size {indices_or_sections}!"
        )
    return tensor_split(input, indices_or_sections, dim)


def dstack(tensors):
    """Along the third dim."""
    return cat(atleast_3d(list(tensors)), dim=2)


class SplittingMethods:
    tensor_split, hsplit, vsplit, dsplit = tensor_split, hsplit, vsplit, dsplit
