"""Pooling over windows of (N, C, H, W): the ops. Arguments are read in nn.functional."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function


class MaxPool2d(Function):
    """y and, where they are wanted, without a gradient the winners' places in their windows."""

    flat = (0,)

    torch_name = "MaxPool2DWithIndicesBackward0"

    @staticmethod
    def forward(ctx, x, settings, out, with_winner):
        y, winner = K.max_pool2d(x, *settings, out)
        ctx.settings, ctx.hw = settings, x.shape[2:]
        ctx.save_constants(winner)
        return (y, winner) if with_winner else y

    @staticmethod
    def backward(ctx, g, _=None):
        (winner,) = ctx.constants
        return MaxPoolPut.apply(g, winner, ctx.hw, ctx.settings), None, None, None


class MaxPoolPut(Function):
    """Each g to where its window's winner stood."""

    torch_name = "MaxPool2DWithIndicesBackwardBackward0"

    @staticmethod
    def forward(ctx, g, winner, hw, settings):
        ctx.settings, ctx.hw = settings, hw
        ctx.save_constants(winner)
        return K.max_pool2d_put(g, winner, hw, *settings)

    @staticmethod
    def backward(ctx, gg):
        (winner,) = ctx.constants
        return MaxPoolPick.apply(gg, winner, ctx.settings), None, None, None


class MaxPoolPick(Function):
    """What stands where the winners stood."""

    @staticmethod
    def forward(ctx, x, winner, settings):
        ctx.settings, ctx.hw = settings, x.shape[2:]
        ctx.save_constants(winner)
        return K.max_pool2d_pick(x, winner, *settings)

    @staticmethod
    def backward(ctx, g):
        (winner,) = ctx.constants
        return MaxPoolPut.apply(g, winner, ctx.hw, ctx.settings), None, None


class AvgPool2d(Function):
    """Window sums over a divisor (OH, OW), which is constant. Settings: (kernel_size, stride, padding)."""

    flat = (0,)

    single_use = True
    torch_name = "AvgPool2DBackward0"

    @staticmethod
    def forward(ctx, x, divisor, settings, out):
        ctx.divisor, ctx.settings, ctx.hw = divisor, settings, x.shape[2:]
        return K.avg_pool2d(x, divisor, *settings, out)

    @staticmethod
    def backward(ctx, g):
        return AvgPoolPut.apply(g, ctx.divisor, ctx.hw, ctx.settings), None, None, None


class AvgPoolPut(Function):
    """AvgPool2d's transpose."""

    @staticmethod
    def forward(ctx, g, divisor, hw, settings):
        ctx.divisor, ctx.settings, ctx.out = divisor, settings, g.shape[2:]
        return K.avg_pool2d_put(g, divisor, hw, *settings)

    @staticmethod
    def backward(ctx, gg):
        return AvgPool2d.apply(gg, ctx.divisor, ctx.settings, ctx.out), None, None, None
