"""Pieces by count, by size or by the places to cut at, beside split and chunk, and the stacks that undo them."""

from __future__ import annotations

import itertools
import operator

import numpy as np

from ..core.layout import contiguous_format
from ..core.variable import Variable, type_name
from ._common import also_called, wrap_dim
from .inquiry import atleast_3d
from .joining import cat, some
from .view_ops import Split
from .views import chunk, narrow, split

_by_any_name = also_called(
    **dict.fromkeys(("indices", "sections", "tensor_indices_or_sections"), "indices_or_sections")
)


class UnsafeSplit(Split):
    """Split whose pieces are no views to autograd: it allows writing into one, and does not notice it in the others."""

    is_view = False


class UnsafeSplitWithSizes(UnsafeSplit):
    pass


@_by_any_name
def tensor_split(input, indices_or_sections, dim=0):
    """Views along `dim`: so many of nearly equal size, or cut at the given indices."""
    if input._data.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim]
    if isinstance(indices_or_sections, Variable):
        given = indices_or_sections._data
        if given.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, "
                f"but got a tensor with {given.ndim} dims"
            )
        if given.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{indices_or_sections.dtype.torch_type}"
            )
        indices_or_sections = given.tolist()
    if isinstance(indices_or_sections, tuple | list):
        cuts = [slice(0, operator.index(i)).indices(n)[1] for i in indices_or_sections]
        edges = itertools.pairwise([0, *cuts, n])
        return tuple(input.narrow(dim, start, max(end - start, 0)) for start, end in edges)
    sections = operator.index(indices_or_sections)
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    size, larger = divmod(n, sections)
    edges = itertools.pairwise(itertools.accumulate([size + 1] * larger + [size] * (sections - larger), initial=0))
    return tuple(input.narrow(dim, start, end - start) for start, end in edges)


@_by_any_name
def hsplit(input, indices_or_sections):
    """tensor_split along the second dim; the first, for 1-d tensors. A count must divide the size."""
    if input._data.ndim < 1:
        raise RuntimeError(
            "torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!"
        )
    return _even("hsplit", input, indices_or_sections, 0 if input._data.ndim == 1 else 1)


@_by_any_name
def vsplit(input, indices_or_sections):
    """tensor_split along the first dim. A count must divide the size."""
    if input._data.ndim < 2:
        raise RuntimeError(
            "torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with "
            f"{input._data.ndim} dimensions!"
        )
    return _even("vsplit", input, indices_or_sections, 0)


@_by_any_name
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
    return cat(atleast_3d(some("dstack", tensors)), dim=2)


def split_with_sizes(input, split_sizes, dim=0):
    """split by a list of sizes."""
    if not isinstance(split_sizes, tuple | list):
        raise TypeError(
            "split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not "
            f"{type_name(split_sizes)}"
        )
    return split(input, split_sizes, dim)


def unsafe_split(input, split_size, dim=0):
    """split into pieces of one size that share input's memory, but are no views to autograd."""
    if not isinstance(split_size, int):
        raise TypeError(f"unsafe_split(): argument 'split_size' (position 2) must be int, not {type_name(split_size)}")
    return _unsafe(UnsafeSplit, input, split(input.detach(), split_size, dim), dim)


def unsafe_split_with_sizes(input, split_sizes, dim=0):
    """split_with_sizes into pieces that share input's memory, but are no views to autograd."""
    return _unsafe(UnsafeSplitWithSizes, input, split_with_sizes(input.detach(), split_sizes, dim), dim)


def unsafe_chunk(input, chunks, dim=0):
    """chunk into pieces that share input's memory, but are no views to autograd."""
    return _unsafe(UnsafeSplit, input, chunk(input.detach(), chunks, dim), dim)


def _unsafe(op, input, pieces, dim):
    """The pieces, which have been checked, cut again where autograd sees it."""
    dim = wrap_dim(dim, input._data.ndim)
    return op.apply(input, tuple(piece._data.shape[dim] for piece in pieces), dim)


def narrow_copy(input, dim, start, length):
    """narrow, as a copy in row-major order."""
    return narrow(input, dim, start, length).clone(memory_format=contiguous_format)


class SplittingMethods:
    split_with_sizes, narrow_copy = split_with_sizes, narrow_copy
    unsafe_split, unsafe_chunk, unsafe_split_with_sizes = unsafe_split, unsafe_chunk, unsafe_split_with_sizes
    tensor_split, hsplit, vsplit, dsplit = tensor_split, hsplit, vsplit, dsplit
