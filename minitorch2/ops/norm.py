"""Normalisation, fused. The second derivatives run through the same function made of ordinary ops (`composed`)."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.dtypes import float32
from ..core.function import Function
from .reduce import Mean
from .unary import Rsqrt


class BatchNorm(Function):
    """x (A, B, L) normalised per b, with weight and bias (B,) or None.

    mean and var (B,) are arrays. from_batch: they are x's own and so have a slope; otherwise they are constants.
    """

    torch_name = "NativeBatchNormBackward0"

    @staticmethod
    def forward(ctx, x, weight, bias, mean, var, eps, from_batch):
        rstd = 1 / K.sqrt(var + x.dtype.type(eps))
        ctx.from_batch = from_batch
        ctx.save_for_backward(x, weight)
        ctx.save_constants(mean, rstd)
        return K.normalize(x, mean, rstd, weight, bias)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        dx, dweight, dbias = K.normalize_grad(g, x, *ctx.constants, weight, ctx.from_batch)
        return dx, dweight, dbias, None, None, None, None

    @staticmethod
    def composed(x, weight, bias, mean, var, eps, from_batch):
        if from_batch:
            centred = x - Mean.apply(x, (0, 2), True)
            variance = Mean.apply(centred * centred, (0, 2), True)
        else:
            mean, variance = (Function.variable(a.reshape(-1, 1)) for a in (mean, var))
            centred = x - mean
        y = centred * Rsqrt.apply(variance + eps)
        y = y if weight is None else y * weight.reshape(-1, 1)
        return y if bias is None else y + bias.reshape(-1, 1)


class LayerNorm(Function):
    """Rows x (R, D) normalised, with weight and bias (D,) or None."""

    torch_name = "NativeLayerNormBackward0"

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        y, mean, rstd = K.layer_norm(x, weight, bias, eps)
        ctx.save_for_backward(x, weight)
        ctx.save_constants(mean, rstd)
        return y

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        return *K.layer_norm_grad(g, x, *ctx.constants, weight), None

    @staticmethod
    def composed(x, weight, bias, eps):
        centred = x - Mean.apply(x, (1,), True)
        y = centred * Rsqrt.apply(Mean.apply(centred * centred, (1,), True) + eps)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias


def batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps):
    """x (A, B, L) normalised per b: by its own statistics while training (the running ones follow), else by those."""
    data = x._data if x._data.itemsize > 2 else K.cast(x._data, float32.numpy)
    if training:
        mean, var = K.moments(data)
        if running_mean is not None:
            _move(running_mean, mean, momentum)
        if running_var is not None:
            count = data.shape[0] * data.shape[2]
            _move(running_var, var * var.dtype.type(count / (count - 1) if count > 1 else math.nan), momentum)
    else:  # copies: the running statistics may move on before backward
        mean, var = (K.cast(t._data, data.dtype).copy() for t in (running_mean, running_var))
    return BatchNorm.apply(x, weight, bias, mean, var, eps, training)


def _move(running, new, momentum):
    """running = (1 - momentum) running + momentum new, in place and unknown to autograd."""
    held = running._data
    if held.itemsize > 2:
        held *= held.dtype.type(1 - momentum)
        held += K.cast(new, held.dtype) * held.dtype.type(momentum)
    else:
        held[...] = K.cast(K.cast(held, new.dtype) * (1 - momentum) + new * momentum, held.dtype)
    running._bump()
