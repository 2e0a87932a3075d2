"""Softmax, what it divides by, and the activations."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import as_dtype
from ..core.function import Function, called
from ._common import numpy_names, require_floating, to_dtype, to_float, wrap_dim
from .rectifiers import RectifierMethods
from .reduce import Sum, reduced_dims
from .unary import Exp


class Softmax(Function):
    """exp(x) / sum(exp(x)) along dim."""

    row_major = True

    @staticmethod
    def forward(ctx, x, dim):
        y = K.softmax(x, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved
        return SoftmaxGrad.apply(g, y, ctx.dim), None


class SoftmaxGrad(Function):
    """dx = y (g - sum(g y)): linear in g, and its own transpose."""

    @staticmethod
    def forward(ctx, g, y, dim):
        ctx.dim = dim
        ctx.save_for_backward(g, y)
        return K.softmax_grad(g, y, dim)

    @staticmethod
    def backward(ctx, h):  # d/dy of sum(h dx):  h (g - sum(g y)) - g sum(h y)
        g, y = ctx.saved
        dims = (ctx.dim,)
        dy = h * (g - Sum.apply(g * y, dims, True)) - g * Sum.apply(h * y, dims, True)
        return SoftmaxGrad.apply(h, y, ctx.dim), dy, None


class LogSoftmax(Function):
    """x - log(sum(exp(x))) along dim."""

    row_major = True

    @staticmethod
    def forward(ctx, x, dim):
        y = K.log_softmax(x, dim)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved
        return LogSoftmaxGrad.apply(g, y, ctx.dim), None


class LogSoftmaxGrad(Function):
    """dx = g - exp(y) sum(g)"""

    @staticmethod
    def forward(ctx, g, y, dim):
        ctx.dim = dim
        ctx.save_for_backward(g, y)
        return K.log_softmax_grad(g, y, dim)

    @staticmethod
    def backward(ctx, h):  # of sum(h dx):  d/dg = h - sum(h exp(y)),  d/dy = -h exp(y) sum(g)
        g, y = ctx.saved
        dims, hp = (ctx.dim,), h * Exp.apply(y)
        return h - Sum.apply(hp, dims, True), -(hp * Sum.apply(g, dims, True)), None


class LogSumExp(Function):
    """log(sum(exp(x))) over dims, which stay with size 1."""

    row_major = True
    torch_name = "LogsumexpBackward0"

    @staticmethod
    def forward(ctx, x, dims):
        top = K.extremes(x, dims, True, True) if x.size else K.sums(x, dims, True)
        top = K.where(K.isfinite(top), top, 0)  # inf - inf would be NaN
        y = K.log(K.sums(K.exp(K.minus(x, top)), dims, True)) + top
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):  # dx = softmax(x) g
        x, y = ctx.saved
        return K.times(Exp.apply(x - y), g), None


@numpy_names
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(input))) over dim(s), without overflow."""
    input = to_float(input)
    dims = reduced_dims(dim, input)
    total = LogSumExp.apply(input, tuple(sorted(dims)))
    if not keepdim:
        total = total.reshape([n for i, n in enumerate(input._data.shape) if i not in dims])
    return called("LogsumexpBackward0", total)


@numpy_names
def softmax(input, dim, dtype=None):
    """exp(input) / sum(exp(input)) along dim: non-negative, sums to 1."""
    return _along(Softmax, input, dim, dtype)


@numpy_names
def log_softmax(input, dim, dtype=None):
    """log(softmax(input)) along dim, without overflow."""
    return _along(LogSoftmax, input, dim, dtype)


def _along(op, input, dim, dtype):
    if dtype is not None:
        input = to_dtype(input, as_dtype(dtype, "softmax").numpy)
    ndim = input._data.ndim
    if input._data.dtype.kind not in "fV":
        last = "lastdim_" if dim in (-1, ndim - 1) else ""
        require_floating(f"{'log_' if op is LogSoftmax else ''}softmax_{last}kernel_impl", input)
    if ndim == 0:
        wrap_dim(dim, 0)
        return op.apply(input.reshape(1), 0).reshape(())
    return op.apply(input, wrap_dim(dim, ndim))


listed(globals())


class ActivationMethods(RectifierMethods):
    softmax, log_softmax, logsumexp = softmax, log_softmax, logsumexp
