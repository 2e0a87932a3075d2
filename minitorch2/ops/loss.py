"""The loss ops that are more than a composition."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function


class NLLLoss(Function):
    """-weight[target] * x[n, target] for x (N, C, ...) and integer targets (N, ...), 0 where ignored: not reduced.

    `scale` (N, ...) is that weight, 0 where the target is ignored; `target` holds valid indices everywhere.
    """

    torch_name = "NllLossBackward0"

    @staticmethod
    def forward(ctx, x, target, scale):
        ctx.save_constants(target, scale)
        ctx.shape = x.shape
        picked = K.take_along_axis(x, target[:, None], axis=1)[:, 0]
        return K.where(scale == 0, 0, picked * -scale).astype(x.dtype, copy=False)

    @staticmethod
    def backward(ctx, g):
        target, scale = ctx.constants
        return NLLLossPut.apply(g, target, scale, ctx.shape), None, None


class NLLLossPut(Function):
    """NLLLoss's transpose: -scale * g put at the targets."""

    @staticmethod
    def forward(ctx, g, target, scale, shape):
        ctx.save_constants(target, scale)
        x = K.zeros_like(g, shape=shape)
        K.put_along_axis(x, target[:, None], K.where(scale == 0, 0, g * -scale).astype(g.dtype, copy=False)[:, None], axis=1)
        return x

    @staticmethod
    def backward(ctx, gg):
        target, scale = ctx.constants
        return NLLLoss.apply(gg, target, scale), None, None, None
