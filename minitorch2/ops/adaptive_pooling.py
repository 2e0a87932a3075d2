"""Pooling into a given number of windows, whose sizes may differ by one."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Function


def segments(n: int, count: int) -> list[tuple[int, int]]:
    """`count` windows over n elements: the i-th from floor(i n / count) to ceil((i + 1) n / count)."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


class SegmentMean(Function):
    """The mean of every window along dim."""

    flat = (0,)
    single_use = True
    torch_name = "AdaptiveAvgPool2DBackward0"

    @staticmethod
    def forward(ctx, x, count, dim):
        ctx.n, ctx.dim = x.shape[dim], dim
        y = K.namespace(x).empty((*x.shape[:dim], count, *x.shape[dim + 1 :]), x.dtype)
        before = (slice(None),) * dim
        for i, (start, stop) in enumerate(segments(ctx.n, count)):
            y[(*before, i)] = x[(*before, slice(start, stop))].sum(axis=dim, dtype=x.dtype) / (stop - start)
        return y

    @staticmethod
    def backward(ctx, g):
        return SegmentSpread.apply(g, ctx.n, ctx.dim), None, None


class SegmentSpread(Function):
    """SegmentMean's transpose: every element gets its share of each window it lies in."""

    @staticmethod
    def forward(ctx, g, n, dim):
        ctx.count, ctx.dim = g.shape[dim], dim
        x = K.namespace(g).zeros((*g.shape[:dim], n, *g.shape[dim + 1 :]), g.dtype)
        before = (slice(None),) * dim
        for i, (start, stop) in enumerate(segments(n, ctx.count)):
            x[(*before, slice(start, stop))] += g[(*before, slice(i, i + 1))] / (stop - start)
        return x

    @staticmethod
    def backward(ctx, gg):
        return SegmentMean.apply(gg, ctx.count, ctx.dim), None, None


class TakePlane(Function):
    """x (N, C, H, W) at indices (N, C, OH, OW) into its flattened planes."""

    flat = (0,)
    torch_name = "AdaptiveMaxPool2DBackward0"

    @staticmethod
    def forward(ctx, x, indices):
        ctx.save_constants(indices)
        ctx.shape = x.shape
        n, c = x.shape[:2]
        planes = x.reshape(n, c, math.prod(x.shape[2:]))
        flat = indices.reshape(n, c, math.prod(indices.shape[2:]))
        return K.take_along_axis(planes, flat, axis=2).reshape(indices.shape)

    @staticmethod
    def backward(ctx, g):
        return AddPlane.apply(g, ctx.constants[0], ctx.shape), None


class AddPlane(Function):
    """TakePlane's transpose: an element taken by several windows gets the sum."""

    @staticmethod
    def forward(ctx, g, indices, shape):
        ctx.save_constants(indices)
        n, c = shape[:2]
        plane = math.prod(shape[2:])
        index = indices.reshape(n * c, math.prod(indices.shape[2:])) + K.namespace(g).arange(n * c)[:, None] * plane
        flat = K.index_add(K.namespace(g).zeros(n * c * plane, g.dtype), index.reshape(-1), g.reshape(-1))
        return flat.reshape(shape)

    @staticmethod
    def backward(ctx, gg):
        return TakePlane.apply(gg, ctx.constants[0]), None, None


def adaptive_max_indices(x, out):
    """Where in its flattened plane (H, W) each window's largest element stands: int64 (N, C, OH, OW). The first of
    equals; NaN wins, the last of several."""
    n, c, h, w = x.shape
    has_nan = x.dtype.kind == "f" and (K.on_device(x) or bool(K.isnan(x).any()))
    indices = K.namespace(x).empty((n, c, *out), K.int64)
    for i, (top, bottom) in enumerate(segments(h, out[0])):
        for j, (left, right) in enumerate(segments(w, out[1])):
            window = x[:, :, top:bottom, left:right].reshape(n, c, (bottom - top) * (right - left))
            place = window.argmax(axis=2)
            if has_nan:
                nan = K.isnan(window)
                last = window.shape[2] - 1 - nan[:, :, ::-1].argmax(axis=2)
                place = K.where(nan.any(axis=2), last, place)
            width = right - left
            indices[:, :, i, j] = (top + place // width) * w + left + place % width
    return indices
