"""What a loss of class indices is made of: the factor of each target, and what x has there.

x (N, C, ...), target (N, ...) of an integer dtype.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import asarray, kernel, namespace
from .picking import pick, put


@kernel
def class_scale(target, weight, classes, ignore_index, dtype):
    """(safe, scale), both (N, ...): the targets, int64, 0 for those out of range; the weight (C,) of each target, or 1
    without weights, in `dtype`, 0 where it is ignore_index, and NaN where it is otherwise out of range."""
    xp = namespace(target)
    wrong = (target < 0) | (target >= classes)
    safe = xp.where(wrong, 0, target).astype(np.int64, copy=False)
    scale = xp.ones(target.shape, dtype) if weight is None else weight[safe]
    scale = xp.where(wrong, dtype.type(np.nan), scale)
    return safe, xp.where(target == ignore_index, dtype.type(0), scale)


@kernel
def nll(x, target, scale):
    """-scale * x[n, target] (N, ...), 0 where scale is 0, whatever x is there; scale (N, ...), or None for 1."""
    return _scaled(pick(x, target), scale)


@kernel
def nll_put(g, target, scale, shape):
    """-scale * g (N, ...) at the targets in zeros of `shape` (N, C, ...): nll's transpose."""
    return put(_scaled(g, scale), target, shape)


@kernel
def nll_mean(x, target):
    """-mean(x[n, target]) without dims, for targets that all are classes."""
    picked = pick(x, target)
    return asarray(-picked.sum() / x.dtype.type(target.size))


@kernel
def nll_mean_put(g, target, shape):
    """-g / N at the N targets in zeros of `shape`, g without dims: nll_mean's transpose."""
    share = -g / g.dtype.type(target.size)
    return put(namespace(g).broadcast_to(share, target.shape), target, shape)


@kernel
def cross_entropy_mean(x, target):
    """(nll_mean of log_softmax(x), shift) for scores x (N, C) and targets that all are classes; shift (N, 2): the
    largest of each row, and the logarithm of the sum of its exp(x - largest)."""
    top = x.max(axis=1, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis=1, keepdims=True, dtype=x.dtype))
    return nll_mean(x - top - total, target), np.concatenate([top, total], axis=1)


@kernel
def cross_entropy_mean_grad(g, x, target, shift):
    """dx (N, C) of cross_entropy_mean for g without dims: (softmax(x) - 1 at the target) g / N."""
    share = g / g.dtype.type(target.size)
    dx = np.exp(x - shift[:, :1] - shift[:, 1:]) * share
    return dx - put(namespace(g).broadcast_to(share, target.shape), target, x.shape)


def _scaled(x, scale):
    if scale is None:
        return -x
    return namespace(x).where(scale == 0, 0, x * -scale).astype(x.dtype, copy=False)
