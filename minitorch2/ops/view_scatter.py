"""Copies of a tensor with the part that a view shows replaced: select_scatter, slice_scatter, diagonal_scatter."""

from __future__ import annotations

import operator

from ..core.function import Function
from ..core.memory_order import copy_like
from ._common import Zeros, to_dtype, wrap_dim
from .view_ops import Diagonal, Slice, ViewOp


class SliceScatter(Function):
    """x with `values`, of that part's shape, written at a basic index."""

    keeps_dtype = True
    view: type[ViewOp] = Slice

    @classmethod
    def forward(cls, ctx, x, values, *where):
        ctx.where = where
        result = copy_like(x)
        cls.view.forward(cls.view(), result, *where)[...] = values
        return result

    @classmethod
    def backward(cls, ctx, g):  # the values get that part of the gradient, x the rest
        part = cls.view.apply(g, *ctx.where)
        rest = cls.apply(g, Zeros.apply(part), *ctx.where) if ctx.needs_input_grad[0] else None
        return rest, part, *(None for _ in ctx.where)


class SelectScatter(SliceScatter):
    pass


class DiagonalScatter(SliceScatter):
    """x with `values` written on a diagonal."""

    view = Diagonal


def select_scatter(input, src, dim, index):
    """input with src in the place of the slice at `index` along `dim`; src has the shape of that slice."""
    dim, index = wrap_dim(dim, input._data.ndim), operator.index(index)
    if not input._data.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    shape = input._data.shape
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {dim}")
    return _written(SelectScatter, input, src, shape[:dim] + shape[dim + 1 :], (slice(None),) * dim + (index,))


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """input with src in the place of the slices start:end:step along `dim`; src has the shape of these."""
    dim = wrap_dim(dim, input._data.ndim)
    if not input._data.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    shape, part = list(input._data.shape), slice(start, end, step)
    shape[dim] = len(range(*part.indices(shape[dim])))
    return _written(SliceScatter, input, src, tuple(shape), (slice(None),) * dim + (part,))


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """input with src on the diagonal of two dims; src has the shape that diagonal() gives."""
    ndim = input._data.ndim
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _written(DiagonalScatter, input, src, input._data.diagonal(offset, dim1, dim2).shape, offset, dim1, dim2)


def _written(op, input, src, shape, *where):
    if src._data.shape != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src._data.shape)}, slice size = "
            f"{list(shape)}"
        )
    return op.apply(input, to_dtype(src, input._data.dtype), *where)
