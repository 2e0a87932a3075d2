"""Normalisation, fused. The second derivatives run through the same function made of ordinary ops (`composed`)."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.dtypes import float32
from ..core.function import Function
from ..core.memory_order import as_rows, reshaped
from .reduce import Mean
from .unary import Rsqrt


def _channels(x):
    """x (A, B, d1, ...) as the kernels take it: (A, B, L)."""
    return x if x.ndim == 3 else reshaped(x, (*x.shape[:2], math.prod(x.shape[2:])))


class BatchNorm(Function):
    """x (A, B, d1, ...) normalised per b, with weight and bias (B,) or None.

    mean and rstd (B,) are arrays. from_batch: they are x's own and so have a slope; otherwise they are constants.
    """

    torch_name = "NativeBatchNormBackward0"

    @staticmethod
    def forward(ctx, x, weight, bias, mean, rstd, eps, from_batch):
        ctx.from_batch = from_batch
        ctx.save_for_backward(x, weight)
        ctx.save_constants(mean, rstd)
        return K.normalize(_channels(x), mean, rstd, weight, bias).reshape(x.shape)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        dx, dweight, dbias = K.normalize_grad(_channels(g), _channels(x), *ctx.constants, weight, ctx.from_batch)
        return dx.reshape(x.shape), dweight, dbias, None, None, None, None

    @staticmethod
    def composed(x, weight, bias, mean, rstd, eps, from_batch):
        per_channel = -1, *(1,) * (x._data.ndim - 2)
        if from_batch:
            dims = 0, *range(2, x._data.ndim)
            centred = x - Mean.apply(x, dims, True)
            y = centred * Rsqrt.apply(Mean.apply(centred * centred, dims, True) + eps)
        else:
            mean, rstd = (Function.as_tensor(a.reshape(per_channel)) for a in (mean, rstd))
            y = (x - mean) * rstd
        y = y if weight is None else y * weight.reshape(per_channel)
        return y if bias is None else y + bias.reshape(per_channel)


class GroupNorm(Function):
    """x (N, C, d1, ...), each image's groups of channels normalised by themselves; weight and bias (C,) or None."""

    torch_name = "NativeGroupNormBackward0"

    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps):
        y, mean, rstd = K.group_norm(_channels(x), weight, bias, groups, eps)
        ctx.groups = groups
        ctx.save_for_backward(x, weight)
        ctx.save_constants(mean, rstd)
        return y.reshape(x.shape)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        dx, *rest = K.group_norm_grad(_channels(g), _channels(x), *ctx.constants, weight, ctx.groups)
        return dx.reshape(x.shape), *rest, None, None

    @staticmethod
    def composed(x, weight, bias, groups, eps):
        rows = x.reshape(x._data.shape[0] * groups, -1)
        centred = rows - Mean.apply(rows, (1,), True)
        y = centred * Rsqrt.apply(Mean.apply(centred * centred, (1,), True) + eps)
        y, per_channel = y.reshape(x._data.shape), (-1, *(1,) * (x._data.ndim - 2))
        y = y if weight is None else y * weight.reshape(per_channel)
        return y if bias is None else y + bias.reshape(per_channel)


def _flat(x):
    return x if x is None or x.ndim == 1 else x.reshape(-1)


class LayerNorm(Function):
    """x normalised over its last `dims` dims, with weight and bias of their sizes or None."""

    torch_name = "NativeLayerNormBackward0"

    @staticmethod
    def forward(ctx, x, weight, bias, dims, eps):
        ctx.dims, ctx.sizes = dims, x.shape[x.ndim - dims :]
        y, mean, rstd = K.layer_norm(as_rows(x, dims), _flat(weight), _flat(bias), eps)
        ctx.save_for_backward(x, weight)
        ctx.save_constants(mean, rstd)
        return y.reshape(x.shape)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        dx, *rest = K.layer_norm_grad(as_rows(g, ctx.dims), as_rows(x, ctx.dims), *ctx.constants, _flat(weight))
        return dx.reshape(x.shape), *(d.reshape(ctx.sizes) for d in rest), None, None

    @staticmethod
    def composed(x, weight, bias, dims, eps):
        over = tuple(range(x._data.ndim - dims, x._data.ndim))
        centred = x - Mean.apply(x, over, True)
        y = centred * Rsqrt.apply(Mean.apply(centred * centred, over, True) + eps)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias


class RMSNorm(Function):
    """x over the root of its mean square over the last `dims` dims, with weight of their sizes or None."""

    torch_name = "MulBackward0"

    @staticmethod
    def forward(ctx, x, weight, dims, eps):
        ctx.dims, ctx.sizes = dims, x.shape[x.ndim - dims :]
        y, rstd = K.rms_norm(as_rows(x, dims), _flat(weight), eps)
        ctx.save_for_backward(x, weight)
        ctx.save_constants(rstd)
        return y.reshape(x.shape)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        dx, dweight = K.rms_norm_grad(as_rows(g, ctx.dims), as_rows(x, ctx.dims), *ctx.constants, _flat(weight))
        return dx.reshape(x.shape), dweight.reshape(ctx.sizes), None, None

    @staticmethod
    def composed(x, weight, dims, eps):
        over = tuple(range(x._data.ndim - dims, x._data.ndim))
        y = x * Rsqrt.apply(Mean.apply(x * x, over, True) + eps)
        return y if weight is None else y * weight


def batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=True):
    """x (A, B, d1, ...) normalised per b: by its own statistics while training (the running ones follow), else by
    those. cudnn_enabled changes nothing."""
    data = x._data if x._data.itemsize > 2 else K.cast(x._data, float32.numpy)
    if training:
        running = [t for t in (running_mean, running_var) if t is not None]
        arrays = (None if t is None else t._data for t in (running_mean, running_var))
        mean, rstd = K.statistics(_channels(data), eps, *arrays, momentum)
        for tensor in running:  # moved in place, unknown to autograd
            tensor._bump()
    else:  # copies: the running statistics may move on before backward
        mean, rstd = K.kept_statistics(running_mean._data, running_var._data, eps, data.dtype)
    return BatchNorm.apply(x, weight, bias, mean, rstd, eps, training)
