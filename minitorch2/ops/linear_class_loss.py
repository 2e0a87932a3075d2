"""Cross entropy of a linear map's results, some rows at a time: the logits (N, C) never exist as a whole.

x (N, I), weight (C, I), bias (C,) or None; target (N,) and scale (N,) are arrays, as for NLLLoss.
"""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from .activation import LogSoftmax
from .linalg import Linear
from .loss import NLLLoss
from .reduce import Sum

_TWICE = (
    "linear_cross_entropy chunked backward called twice; retain_graph=True / double backward are not supported. Use "
    "LinearCrossEntropyOptions(allow_retain_graph=True)."
)


class LinearClassLosses(Function):
    """The loss of each row: (N,). Backward computes the logits again."""

    @staticmethod
    def forward(ctx, x, weight, bias, target, scale, rows):
        ctx.save_for_backward(x, weight, bias)
        ctx.save_constants(target, scale)
        ctx.rows = rows
        return K.linear_class_loss(x, weight, bias, target, scale, rows, (False,) * 3)[0]

    @staticmethod
    def backward(ctx, g):
        target, scale = ctx.constants
        _, *grads = K.linear_class_loss(*ctx.saved, target, scale * g, ctx.rows, ctx.needs_input_grad[:3])
        return *grads, None, None, None

    @staticmethod
    def composed(x, weight, bias, target, scale, rows):
        return NLLLoss.apply(LogSoftmax.apply(Linear.apply(bias, x, weight), 1), target, scale)


class LinearClassLoss(Function):
    """The sum of the losses. Forward computes the gradients, too, and backward multiplies them: `reusable` keeps them
    for another time, else the memory is that of the result."""

    used = False

    @staticmethod
    def forward(ctx, x, weight, bias, target, scale, rows, reusable):
        losses, *grads = K.linear_class_loss(x, weight, bias, target, scale, rows, ctx.needs_input_grad[:3])
        ctx.save_for_backward(x, weight, bias)  # for the second derivative
        ctx.save_constants(*grads)
        ctx.reusable = reusable
        return K.asarray(losses.sum(), x.dtype)

    @staticmethod
    def backward(ctx, g):
        if ctx.used and not ctx.reusable:
            raise RuntimeError(_TWICE)
        ctx.used = True
        grads = [a if a is None else K.multiply(a, g, out=None if ctx.reusable else a) for a in ctx.constants]
        return *grads, None, None, None, None

    @staticmethod
    def composed(x, weight, bias, target, scale, rows, reusable):
        return Sum.apply(LinearClassLosses.composed(x, weight, bias, target, scale, rows), (0,), False)
