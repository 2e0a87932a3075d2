"""Dropout: whole elements or whole channels, with torch's draws."""

from __future__ import annotations

import numpy as np

from ...core.function import Function
from ...ops.random import default_generator


class Dropout(Function):
    """x * mask / (1 - p); mask broadcasts to x."""

    torch_name = "MulBackward0"

    @staticmethod
    def forward(ctx, x, mask, scale):
        ctx.save_constants(mask)
        ctx.scale = scale
        y = x * mask
        y *= scale
        return y

    @staticmethod
    def backward(ctx, g):
        (mask,) = ctx.constants
        return Dropout.apply(g, mask, ctx.scale), None, None


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p), while training.

    Source: Srivastava et al., "Dropout", JMLR 2014. The mask is torch's for the same seed.
    """
    return _dropout(input, p, training, inplace, input._data.shape)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """As dropout, on whole channels: one draw per (N, C) of (N, C, H, W)."""
    shape = input._data.shape
    return _dropout(input, p, training, inplace, shape[:2] + (1,) * (len(shape) - 2))


def _dropout(input, p, training, inplace, mask_shape):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0.0 or not input._data.size:
        return input
    mask = default_generator.bernoulli(mask_shape, np.dtype(bool), 1 - p)
    if inplace:
        return input.mul_(Function.variable(mask).to(input.dtype) * (1 / (1 - p) if p < 1 else 0.0))
    return Dropout.apply(input, mask, 1 / (1 - p) if p < 1 else 0.0)


__all__ = ["dropout", "dropout2d"]
