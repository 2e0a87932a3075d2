"""The loss ops that are more than a composition."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Elementwise, Function
from .activation import LogSoftmax
from .clamping import Clamp
from .rectifiers import Hardtanh
from .unary import Log, Log1p, Sigmoid


class NLLLoss(Function):
    """-weight[target] * x[n, target] for x (N, C, ...) and integer targets (N, ...), 0 where ignored: not reduced.

    `scale` (N, ...) is that weight, 0 where the target is ignored, or None for 1 everywhere; `target` holds valid
    indices everywhere.
    """

    flat = (0,)

    torch_name = "NllLossBackward0"

    @staticmethod
    def forward(ctx, x, target, scale):
        ctx.save_constants(*((target,) if scale is None else (target, scale)))
        ctx.shape = x.shape
        return K.nll(x, target, scale)

    @staticmethod
    def backward(ctx, g):
        target, scale = (*ctx.constants, None)[:2]
        return NLLLossPut.apply(g, target, scale, ctx.shape), None, None


class NLLLossPut(Function):
    """NLLLoss's transpose: -scale * g put at the targets."""

    @staticmethod
    def forward(ctx, g, target, scale, shape):
        ctx.save_constants(*((target,) if scale is None else (target, scale)))
        return K.nll_put(g, target, scale, shape)

    @staticmethod
    def backward(ctx, gg):
        target, scale = (*ctx.constants, None)[:2]
        return NLLLoss.apply(gg, target, scale), None, None, None


class NLLLossMean(Function):
    """The mean of NLLLoss where every target counts the same."""

    flat = (0,)

    torch_name = "NllLossBackward0"

    @staticmethod
    def forward(ctx, x, target):
        ctx.save_constants(target)
        ctx.shape = x.shape
        return K.nll_mean(x, target)

    @staticmethod
    def backward(ctx, g):
        return NLLLossMeanPut.apply(g, ctx.constants[0], ctx.shape), None


class NLLLossMeanPut(Function):
    """NLLLossMean's transpose: -g / N put at the targets."""

    @staticmethod
    def forward(ctx, g, target, shape):
        ctx.save_constants(target)
        return K.nll_mean_put(g, target, shape)

    @staticmethod
    def backward(ctx, gg):
        return NLLLossMean.apply(gg, ctx.constants[0]), None, None


class CrossEntropyMean(Function):
    """NLLLossMean of LogSoftmax, which is never an array of its own: x (N, C), target (N,)."""

    torch_name = "NllLossBackward0"

    @staticmethod
    def forward(ctx, x, target):
        loss, shift = K.cross_entropy_mean(x, target)
        ctx.save_for_backward(x)
        ctx.save_constants(target, shift)
        return loss

    @staticmethod
    def backward(ctx, g):  # dx = (softmax(x) - 1 at the target) g / N
        (x,), (target, shift) = ctx.saved, ctx.constants
        return K.cross_entropy_mean_grad(g, x, target, shift), None

    @staticmethod
    def composed(x, target):
        return NLLLossMean.apply(LogSoftmax.apply(x, 1), target)


class Huber(Function):
    """x^2 / 2 where |x| <= delta, and from there on straight: c (x - c/2) with c = x limited to [-delta, delta]."""

    torch_name = "HuberLossBackward0"

    @staticmethod
    def forward(ctx, x, delta):
        ctx.save_for_backward(x)
        ctx.delta = delta
        return K.huber(x, delta)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Hardtanh.apply(x, -ctx.delta, ctx.delta), None


class BinaryCrossEntropyWithLogits(Elementwise):
    """-(t log(s) + (1 - t) log(1 - s)), s = sigmoid(x); x and t of one shape and dtype."""

    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(x, t)
        return K.logits_loss(x, t)

    @staticmethod
    def backward(ctx, g):  # dx = (s - t), dt = -x
        x, t = ctx.saved
        need_x, need_t = ctx.needs_input_grad
        return g * (Sigmoid.apply(x) - t) if need_x else None, -g * x if need_t else None

    @staticmethod
    def fused_backward(ctx, g):
        x, t = ctx.saved
        need_x, need_t = ctx.needs_input_grad
        return K.logits_loss_grad(g, x, t) if need_x else None, K.times(K.negative(g), x) if need_t else None


class BinaryCrossEntropy(Function):
    """-(t log(x) + (1 - t) log(1 - x)), the logarithms limited to -100; x and t in the same shape."""

    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(x, t)
        return (t - 1) * K.maximum(K.log1p(-x), -100) - t * K.maximum(K.log(x), -100)

    @staticmethod
    def backward(ctx, g):  # dx = (x - t) / (x (1 - x)), the denominator limited to 1e-12
        x, t = ctx.saved
        need_x, need_t = ctx.needs_input_grad
        dx = g * (x - t) / Clamp.apply((1 - x) * x, 1e-12, None) if need_x else None
        if not need_t:
            return dx, None
        return dx, g * (Clamp.apply(Log1p.apply(-x), -100.0, None) - Clamp.apply(Log.apply(x), -100.0, None))
