"""The matrix product of (batches of) matrices."""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .sums import bias_grad


@kernel
def matmul(a, b):
    """a (..., m, k) times b (..., k, n); the batch dims broadcast."""
    return namespace(a).matmul(a, b)


@kernel
def linear(x, weight, bias):
    """x weight^T + bias: x (R, I), weight (O, I), bias (O,) or None; (R, O)."""
    y = namespace(x).matmul(x, weight.T)
    if bias is not None:
        y += bias
    return y


@kernel
def linear_grad(g, x, weight, with_bias):
    """What linear's inputs get from g (R, O): g weight, g^T x and the sums of g's columns; None for the first without a
    weight, for the second without x, for the third without a bias."""
    dx = None if weight is None else matmul(g, weight)
    dw = None if x is None else matmul(g.T, x)
    if not with_bias:
        return dx, dw, None
    return dx, dw, bias_grad(g)
