"""Padding, and taking along a dim by an index, perhaps mixing neighbours: what repeats edges and resizes images."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from ._common import fitting
from .index_ops import IndexSelect
from .view_ops import Slice
from .views import narrow


class Pad(Function):
    """x inside a larger box of `value`; before and after: how much is added on each side of every dim."""

    torch_name = "ConstantPadNdBackward0"

    @staticmethod
    def forward(ctx, x, before, after, value):
        shape = tuple(b + n + a for b, n, a in zip(before, x.shape, after, strict=True))
        ctx.inside = tuple(slice(b, b + n) for b, n in zip(before, x.shape, strict=True))
        y = K.namespace(x).zeros(shape, x.dtype) if value == 0 else K.full_like(x, value, shape=shape)
        K.copy_to(y[ctx.inside], x)
        return y

    @staticmethod
    def backward(ctx, g):
        return Slice.apply(g, ctx.inside), None, None, None


class TakeMesh(Function):
    """x (..., H, W) at rows (OH,) and columns (OW,), arrays from 0 on."""

    keeps_dtype = True
    single_use = True
    torch_name = "IndexBackward0"

    @staticmethod
    def forward(ctx, x, rows, columns):
        ctx.at, ctx.hw = (rows, columns), x.shape[-2:]
        return K.take_mesh(x, rows, columns)

    @staticmethod
    def backward(ctx, g):
        return AddMesh.apply(g, *ctx.at, ctx.hw), None, None


class AddMesh(Function):
    """TakeMesh's transpose."""

    @staticmethod
    def forward(ctx, g, rows, columns, hw):
        ctx.at = rows, columns
        return K.add_mesh(g, rows, columns, hw)

    @staticmethod
    def backward(ctx, gg):
        return TakeMesh.apply(gg, *ctx.at), None, None, None


class NearestSlices(IndexSelect):
    """Each slice's nearest, of which torch's keeps no index."""

    single_use = False
    torch_name = "IndexBackward0"


def take_along(x, index, dim, op: type[IndexSelect] = IndexSelect):
    """x at index (m,), an array from 0 on, along dim."""
    return op.apply(x, (slice(None),) * dim + (index,))


class Mix(Function):
    """The sum over t of x at index[t] along dim, times weights[t]; index and weights (T, m)."""

    row_major = True
    torch_name = "UpsampleBackward0"

    @staticmethod
    def forward(ctx, x, index, weights, dim):
        ctx.save_constants(index, weights)
        ctx.n, ctx.dim = x.shape[dim], dim
        return K.mix_slices(x, index, weights, dim)

    @staticmethod
    def backward(ctx, g):
        return Unmix.apply(g, *ctx.constants, ctx.n, ctx.dim), None, None, None


class Unmix(Function):
    """Mix's transpose."""

    @staticmethod
    def forward(ctx, g, index, weights, n, dim):
        ctx.save_constants(index, weights)
        ctx.dim = dim
        x = K.zeros_like(g, shape=(*g.shape[:dim], n, *g.shape[dim + 1 :]))
        if g.size:
            K.unmix_slices(x, index, weights, g, dim)
        return x

    @staticmethod
    def backward(ctx, gg):
        return Mix.apply(gg, *ctx.constants, ctx.dim), None, None, None, None


def pad_constant(x, before, after, value):
    """x with `value` on each side of every dim; a negative amount cuts away instead."""
    for dim, (b, a) in enumerate(zip(before, after, strict=True)):
        if b < 0 or a < 0:
            cut = max(-b, 0)
            x = narrow(x, dim, min(cut, x._data.shape[dim]), x._data.shape[dim] - cut - max(-a, 0))
    before, after = tuple(max(b, 0) for b in before), tuple(max(a, 0) for a in after)
    value = fitting(float(value), x._data.dtype)
    return Pad.apply(x, before, after, value) if any(before) or any(after) else x.clone()


def pad_by_index(x, places, before, after):
    """x with elements of its own on each side of every dim; a negative amount cuts away. places(i, n, before, after):
    which of a dim's n elements stand at i, from -before on."""
    shape, ndim = x._data.shape, x._data.ndim

    def index(dim):
        n, b, a = shape[dim], before[dim], after[dim]
        return places(K.namespace(x._data).arange(-b, n + a), n, b, a)

    padded = [dim for dim in range(ndim) if before[dim] or after[dim]]
    for dim in padded:
        if dim < ndim - 2:
            x = take_along(x, index(dim), dim)
    return TakeMesh.apply(x, index(-2), index(-1)) if padded and padded[-1] >= ndim - 2 else x


def replicated(i, n, before, after):
    """The edges repeated."""
    return i.clip(0, n - 1)


def reflected(i, n, before, after):
    """Mirrored at the edges, which are not repeated."""
    return n - 1 - abs(n - 1 - abs(i))


def circular(i, n, before, after):
    """Repeated as if it were a ring; a negative amount cuts away first."""
    start, stop = max(-before, 0), n - max(-after, 0)
    return (i - start) % max(stop - start, 1) + start
