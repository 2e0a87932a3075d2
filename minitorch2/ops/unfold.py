"""Sliding windows as columns (im2col), and columns added back: each the other's transpose."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function


class Im2Col(Function):
    """(N, C, H, W) to (N, C*KH*KW, windows). Settings: (kernel_size, stride, padding, dilation)."""

    @staticmethod
    def forward(ctx, x, settings):
        ctx.hw, ctx.settings = x.shape[2:], settings
        return K.unfold(x, *settings)

    @staticmethod
    def backward(ctx, g):
        return Col2Im.apply(g, ctx.hw, ctx.settings), None


class Col2Im(Function):
    """(N, C*KH*KW, windows) to (N, C, H, W)."""

    @staticmethod
    def forward(ctx, columns, hw, settings):
        ctx.settings = settings
        return K.fold(columns, hw, *settings)

    @staticmethod
    def backward(ctx, gg):
        return Im2Col.apply(gg, ctx.settings), None, None
