"""The matrix product of (batches of) matrices."""

from __future__ import annotations

from ..dispatch import kernel, namespace


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
