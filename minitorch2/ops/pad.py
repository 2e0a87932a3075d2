"""Padding, and taking along a dim by an ascending index: what pads by repeating edges and resizes images."""

from __future__ import annotations

import functools
import operator

import minitorch2_kernels as K

from ..core.function import Function
from .index_ops import accumulate
from .joining import cat
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
        y[ctx.inside] = x
        return y

    @staticmethod
    def backward(ctx, g):
        return Slice.apply(g, ctx.inside), None, None, None


class TakeSorted(Function):
    """x at index[0] <= index[1] <= ... along dim."""

    row_major = True
    torch_name = "IndexBackward0"

    @staticmethod
    def forward(ctx, x, index, dim):
        ctx.save_constants(index)
        ctx.n, ctx.dim = x.shape[dim], dim
        return x.take(index, axis=dim)

    @staticmethod
    def backward(ctx, g):
        return AddSorted.apply(g, ctx.constants[0], ctx.n, ctx.dim), None, None


class AddSorted(Function):
    """TakeSorted's transpose: what was taken more than once is summed, what was not is zero."""

    @staticmethod
    def forward(ctx, g, index, n, dim):
        ctx.save_constants(index)
        ctx.dim = dim
        xp, shape, times = K.namespace(g), (*g.shape[:dim], n, *g.shape[dim + 1 :]), len(index) // n if n else 0
        if K.on_device(g):  # without a question to the index, whose answer would have to be waited for
            return accumulate(xp.zeros(shape, g.dtype), (slice(None),) * dim + (index,), g)
        if times > 1 and (index == xp.arange(len(index)) // times).all():  # all as often
            each = (g[(slice(None),) * dim + (slice(i, None, times),)] for i in range(times))
            return functools.reduce(operator.add, each)
        x = xp.zeros(shape, g.dtype)
        if index.size:
            starts = K.nonzero(K.diff(index, prepend=-1))[0]
            x[(slice(None),) * dim + (index[starts],)] = K.add.reduceat(g, starts, axis=dim)
        return x

    @staticmethod
    def backward(ctx, gg):
        return TakeSorted.apply(gg, ctx.constants[0], ctx.dim), None, None, None


def pad_constant(x, before, after, value):
    """x with `value` on each side of every dim; a negative amount cuts away instead."""
    for dim, (b, a) in enumerate(zip(before, after, strict=True)):
        if b < 0 or a < 0:
            cut = max(-b, 0)
            x = narrow(x, dim, min(cut, x._data.shape[dim]), x._data.shape[dim] - cut - max(-a, 0))
    before, after = tuple(max(b, 0) for b in before), tuple(max(a, 0) for a in after)
    return Pad.apply(x, before, after, value) if any(before) or any(after) else x.clone()


def pad_replicate(x, dim, before, after):
    """The edges of `dim` repeated; a negative amount cuts away."""
    n = x._data.shape[dim]
    return TakeSorted.apply(x, K.namespace(x._data).arange(-before, n + after).clip(0, n - 1), dim)


def pad_reflect(x, dim, before, after):
    """`dim` mirrored at its edges, which are not repeated; a negative amount cuts away."""
    n = x._data.shape[dim]
    start, stop = max(-before, 0), n - max(-after, 0)
    parts = [_part(x, dim, before, 0, -1)] if before > 0 else []
    parts.append(_part(x, dim, start, stop, 1))
    if after > 0:
        parts.append(_part(x, dim, n - 2, n - 2 - after, -1))
    return cat(parts, dim)


def pad_circular(x, dim, before, after):
    """`dim` repeated as if it were a ring; a negative amount cuts away first."""
    x = _part(x, dim, max(-before, 0), x._data.shape[dim] - max(-after, 0), 1)
    n = x._data.shape[dim]
    parts = [_part(x, dim, n - before, n, 1)] if before > 0 else []
    parts.append(x)
    if after > 0:
        parts.append(_part(x, dim, 0, after, 1))
    return cat(parts, dim)


def _part(x, dim, start, stop, step):
    stop = None if stop < 0 else stop
    return Slice.apply(x, (slice(None),) * dim + (slice(start, stop, step),))
