"""Pooling into a given number of windows, whose sizes may differ by one."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Function


class AdaptiveAvgPool2d(Function):
    """The means of out = (OH, OW) windows of x (..., H, W)."""

    flat = (0,)
    single_use = True
    torch_name = "AdaptiveAvgPool2DBackward0"

    @staticmethod
    def forward(ctx, x, out):
        ctx.hw = x.shape[-2:]
        return K.adaptive_avg_pool2d(x, out)

    @staticmethod
    def backward(ctx, g):
        return AdaptiveAvgPoolPut.apply(g, ctx.hw), None


class AdaptiveAvgPoolPut(Function):
    """AdaptiveAvgPool2d's transpose."""

    @staticmethod
    def forward(ctx, g, hw):
        ctx.out = g.shape[-2:]
        return K.adaptive_avg_pool2d_put(g, hw)

    @staticmethod
    def backward(ctx, gg):
        return AdaptiveAvgPool2d.apply(gg, ctx.out), None


class AdaptiveMaxPool2d(Function):
    """The largest elements of out = (OH, OW) windows of x (N, C, H, W), and where they stand in its planes."""

    flat = (0,)
    torch_name = "AdaptiveMaxPool2DBackward0"

    @staticmethod
    def forward(ctx, x, out):
        y, indices = K.adaptive_max_pool2d(x, out)
        ctx.save_constants(indices)
        ctx.shape = x.shape
        return y, indices

    @staticmethod
    def backward(ctx, g, _=None):
        return AddPlane.apply(g, ctx.constants[0], ctx.shape), None


class TakePlane(Function):
    """x (N, C, H, W) at indices (N, C, OH, OW) into its flattened planes."""

    flat = (0,)

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
        n, c, *out = indices.shape
        flat = n, c, math.prod(out)
        return K.plane_put(g.reshape(flat), indices.reshape(flat), math.prod(shape[2:])).reshape(shape)

    @staticmethod
    def backward(ctx, gg):
        return TakePlane.apply(gg, ctx.constants[0]), None, None
