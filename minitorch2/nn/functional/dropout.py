"""Dropout: whole elements or whole channels, with torch's draws for the same seed."""

from __future__ import annotations

import math
import warnings

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import stacklevel
from ...core.device import device_of
from ...core.function import Elementwise, Function
from ...core.memory_order import memory_order, transposed_back
from ...ops._common import require_tensor
from ...ops._half import once_in_half
from ...ops._inplace import check_writable, write
from ...ops.random import resolved

# -(scale * alpha) of selu: what its activations tend to for large negative inputs
_SELU_LIMIT = 1.7580993408473766


class Dropout(Elementwise):
    """x * mask / keep; mask (bool) broadcasts to x. Without a mask one is drawn in the same pass, on a GPU."""

    torch_name = "MulBackward0"

    @staticmethod
    def forward(ctx, x, mask, keep):
        ctx.keep = keep
        if mask is None:
            y, mask = resolved(None, device_of(x)).dropout(x, keep)
            ctx.save_constants(mask)
            return y
        ctx.save_constants(mask)
        return K.masked_scale(x, mask, keep)

    @staticmethod
    def backward(ctx, g):
        return Dropout.apply(g, ctx.constants[0], ctx.keep), None, None


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p), while training.

    Source: Srivastava et al., "Dropout", JMLR 2014.
    """
    _check(p)
    return _dropout(input, p, training, inplace, _element_mask)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """dropout of whole channels of input (N, C, L) or (C, L)."""
    _check(p)
    if input._data.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input._data.ndim}D input. Note that dropout1d "
            "exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs)."
        )
    return _dropout(input, p, training, inplace, _channel_mask if input._data.ndim == 3 else _unbatched_channel_mask)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """dropout of whole channels of input (N, C, H, W); a 3-d input is taken as (N, C, L), with a warning."""
    _check(p)
    ndim = input._data.ndim
    if ndim not in (3, 4):
        _warn_of_dims("dropout2d", ndim, "2 spatial dimensions", "3D or 4D")
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is "
            "desired - input "
            "is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future "
            "release to "
            "interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=stacklevel(2),
        )
    return _dropout(input, p, training, inplace, _channel_mask)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """dropout of whole channels of input (N, C, D, H, W) or (C, D, H, W)."""
    _check(p)
    ndim = input._data.ndim
    if ndim not in (4, 5):
        _warn_of_dims("dropout3d", ndim, "3 spatial dimensions", "4D or 5D")
    return _dropout(input, p, training, inplace, _channel_mask if ndim == 5 else _unbatched_channel_mask)


def feature_dropout(input, p=0.5, training=True, inplace=False):
    """dropout of whole channels of input (N, C, ...). In torch's namespace, not in nn.functional's."""
    _check(p)
    return _dropout(input, p, training, inplace, _channel_mask)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """dropout for selu networks: dropped elements get selu's negative limit, then mean and variance are restored.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """
    _check(p)
    return _alpha_dropout(input, p, training, inplace, _element_mask)


@once_in_half
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """alpha_dropout of whole channels of input (N, C, ...)."""
    _check(p)
    return _alpha_dropout(input, p, training, inplace, _channel_mask)


def _check(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _warn_of_dims(name, ndim, spatial, wanted):
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
        "release. To "
        f"retain the behavior and silence this warning, please use dropout instead. Note that {name} exists to provide "
        f"channel-wise dropout on inputs with {spatial}, a channel dimension, and an optional batch dimension (i.e. "
        f"{wanted} inputs).",
        stacklevel=stacklevel(3),
    )


def _element_mask(data, keep):
    """One draw per element, in the order of its memory; None where the GPU draws while it drops."""
    if K.on_device(data) and data.flags.c_contiguous:
        return None
    axes = memory_order(data)
    mask = resolved(None, device_of(data)).bernoulli(data.transpose(axes).shape, np.dtype(bool), keep)
    return transposed_back(mask, axes)


def _channel_mask(data, keep):
    """One draw per sample and channel."""
    if data.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return resolved(None, device_of(data)).bernoulli(data.shape[:2] + (1,) * (data.ndim - 2), np.dtype(bool), keep)


def _unbatched_channel_mask(data, keep):
    return _channel_mask(data[None], keep)[0]


def _dropout(input, p, training, inplace, draw):
    require_tensor("dropout", input)
    if p == 0 or not training or not input._data.size:
        return input
    if input._data.dtype.kind not in "fV":
        raise RuntimeError(f"result type Float can't be cast to the desired output type {input.dtype.torch_type}")
    if inplace:
        check_writable(input)
    y = input * 0.0 if p == 1 else Dropout.apply(input, draw(input._data, 1 - p), 1 - p)
    return write(input, y, "dropout") if inplace else y


def _alpha_dropout(input, p, training, inplace, draw):
    if p == 0 or not training or not input._data.size:
        return input
    if inplace:
        check_writable(input)
    if p == 1:
        y = input * 0.0
    else:
        mask = draw(input._data, 1 - p)
        if mask is None:
            mask = resolved(None, input.device).bernoulli(input._data.shape, np.dtype(bool), 1 - p)
        a = 1.0 / math.sqrt((_SELU_LIMIT * _SELU_LIMIT * p + 1) * (1 - p))
        dropped = K.where(mask, a * _SELU_LIMIT * p, a * _SELU_LIMIT * (p - 1))
        y = input * Function.as_tensor(mask).to(input.dtype) * a + Function.as_tensor(dropped).to(input.dtype)
    return write(input, y, "alpha_dropout") if inplace else y


__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]
