"""The CTC loss of each sequence."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function


class CTCLoss(Function):
    """(N,): -log of the probability that log_probs (T, N, C) spells targets (N, S), inf where it cannot.

    `steps` and `spelled` (N,) int64: how much of each counts; targets are `blank` from there on. zero_infinity: no
    gradient where the loss is inf, rather than NaN.
    """

    torch_name = "CtcLossBackward0"

    @staticmethod
    def forward(ctx, log_probs, targets, steps, spelled, blank, zero_infinity):
        loss, forward = K.ctc_loss(log_probs, targets, steps, spelled, blank)
        ctx.save_for_backward(log_probs, loss)
        # `forward` follows log_probs, but CTCLossGrad has no derivative that could miss it.
        ctx.save_constants(forward, targets, steps, spelled)
        ctx.blank, ctx.zero_infinity = blank, zero_infinity
        return loss

    @staticmethod
    def backward(ctx, g):
        grad = CTCLossGrad.apply(g, *ctx.saved, *ctx.constants, ctx.blank, ctx.zero_infinity)
        return grad, None, None, None, None, None


class CTCLossGrad(Function):
    """CTCLoss's gradient. Like torch's it cannot be differentiated."""

    @staticmethod
    def forward(ctx, g, log_probs, loss, forward, targets, steps, spelled, blank, zero_infinity):
        grad = K.ctc_loss_grad(g, log_probs, loss, forward, targets, steps, spelled, blank)
        return K.where((loss == float("inf"))[:, None], grad.dtype.type(0), grad) if zero_infinity else grad

    @staticmethod
    def backward(ctx, gg):
        raise RuntimeError("derivative for aten::_ctc_loss_backward is not implemented")
