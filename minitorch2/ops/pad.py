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


class TakeSlices(IndexSelect):
    """What index_select reads, under the name of x[:, index]."""

    torch_name = "IndexBackward0"


class NearestSlices(TakeSlices):
    """Each slice's nearest, of which torch's keeps no index."""

    single_use = False


def take_along(x, index, dim, op: type[IndexSelect] = TakeSlices):
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


def pad_replicate(x, dim, before, after):
    """The edges of `dim` repeated; a negative amount cuts away."""
    n = x._data.shape[dim]
    return take_along(x, _places(x, n, before, after).clip(0, n - 1), dim)


def pad_reflect(x, dim, before, after):
    """`dim` mirrored at its edges, which are not repeated; a negative amount cuts away."""
    n = x._data.shape[dim]
    return take_along(x, n - 1 - abs(n - 1 - abs(_places(x, n, before, after))), dim)


def pad_circular(x, dim, before, after):
    """`dim` repeated as if it were a ring; a negative amount cuts away first."""
    n = x._data.shape[dim]
    start, stop = max(-before, 0), n - max(-after, 0)
    ring = _places(x, n, before, after) - start
    return take_along(x, ring % max(stop - start, 1) + start, dim)


def _places(x, n, before, after):
    """Where the elements of the padded dim would lie among n, from -before on."""
    return K.namespace(x._data).arange(-before, n + after)
