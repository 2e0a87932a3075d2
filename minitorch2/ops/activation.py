"""Softmax and the activations."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import as_dtype
from ..core.function import Function
from ._common import numpy_names, require_floating, to_dtype, wrap_dim
from .reduce import Sum
from .unary import Exp


class Softmax(Function):
    """exp(x) / sum(exp(x)) along dim."""

    @staticmethod
    def forward(ctx, x, dim):
        y = K.softmax(x, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # dx = y (g - sum(g y))
        (y,) = ctx.saved
        gy = g * y
        return gy - y * Sum.apply(gy, (ctx.dim,), True), None


class LogSoftmax(Function):
    """x - log(sum(exp(x))) along dim."""

    @staticmethod
    def forward(ctx, x, dim):
        y = K.log_softmax(x, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # dx = g - softmax(x) sum(g)
        (y,) = ctx.saved
        return g - Exp.apply(y) * Sum.apply(g, (ctx.dim,), True), None


@numpy_names
def softmax(input, dim, dtype=None):
    """exp(input) / sum(exp(input)) along dim: non-negative, sums to 1."""
    return _along(Softmax, input, dim, dtype)


@numpy_names
def log_softmax(input, dim, dtype=None):
    """log(softmax(input)) along dim, without overflow."""
    return _along(LogSoftmax, input, dim, dtype)


def _along(op, input, dim, dtype):
    input = input if dtype is None else to_dtype(input, as_dtype(dtype, "softmax").numpy)
    require_floating(op.__name__.lower(), input)
    if input._data.ndim == 0:
        wrap_dim(dim, 0)
        return op.apply(input.reshape(1), 0).reshape(())
    return op.apply(input, wrap_dim(dim, input._data.ndim))


listed(globals())


class ActivationMethods:
    softmax, log_softmax = softmax, log_softmax
