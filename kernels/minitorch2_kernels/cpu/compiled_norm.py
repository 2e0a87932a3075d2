"""Batch normalisation compiled by numba: two passes over memory for the statistics, two for the gradient, one to apply.

Sums over a row are float32's where x is, sums of rows float64's: what comes out is nearer to the exact statistics than
the reference, and does not depend on how channels were cut into blocks.
"""

from __future__ import annotations

import numpy as np

from ..reference import norm as reference
from .alike import alike
from .jit import Loops
from .norm import BLOCK_BYTES
from .pool import share_loop

loops = Loops("norm_loops")

WORTH_SHARING = 1 << 15  # numbers


def _supports(x, *rest) -> bool:
    return alike(x) and x.size > 0


def _supports_grad(g, x, *rest) -> bool:
    return alike(g, x) and x.size > 0


def _step(x) -> int:
    """How many channels of x (A, B, L) stay in cache for the second pass."""
    return max(1, BLOCK_BYTES // (x.shape[0] * x.shape[2] * x.itemsize))


def moments(x):
    """moments, compiled."""
    total, square, mean = np.zeros(x.shape[1]), np.zeros(x.shape[1]), np.empty(x.shape[1], x.dtype)
    worth, arrays = x.size / WORTH_SHARING, (total, square, mean)
    if x.shape[2] == 1:
        share_loop(worth, loops.column_moments, x.shape[1], x.reshape(x.shape[:2]), *arrays)
    else:
        share_loop(worth, loops.moments, x.shape[1], x, *arrays, _step(x))
    return mean, (square / (x.shape[0] * x.shape[2])).astype(x.dtype)


def normalize(x, mean, rstd, weight, bias):
    """normalize, compiled: one pass."""
    scale = rstd if weight is None else rstd * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    y, worth = np.empty(x.shape, x.dtype), x.size / WORTH_SHARING
    if x.shape[2] == 1:
        share_loop(worth, loops.normalize_columns, len(x), x.reshape(x.shape[:2]), scale, shift, y.reshape(x.shape[:2]))
    else:
        share_loop(worth, loops.normalize, x.shape[0] * x.shape[1], x, scale, shift, y)
    return y


def normalize_grad(g, x, mean, rstd, weight, from_batch):
    """normalize_grad, compiled: the second pass over a block of channels finds it in cache."""
    total, product = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    scale = rstd if weight is None else rstd * weight
    along, shift, dx = np.zeros_like(mean), np.zeros_like(mean), np.empty_like(x)
    worth, others = x.size / WORTH_SHARING, (mean, rstd, scale, from_batch, total, product, along, shift)
    if x.shape[2] == 1:
        g, x, out = (a.reshape(x.shape[:2]) for a in (g, x, dx))
        share_loop(worth, loops.normalize_columns_grad, x.shape[1], g, x, *others, out)
    else:
        share_loop(worth, loops.normalize_grad, x.shape[1], g, x, *others, dx, _step(x))
    return dx, (product * rstd).astype(x.dtype), total.astype(x.dtype)


def _groups(x, weight, bias, groups, eps) -> bool:
    return alike(x, weight, bias) and x.size > 0


def group_norm(x, weight, bias, groups, eps):
    """group_norm, compiled: statistics and one pass, each channel's factors worked out before."""
    n, channels, _ = x.shape
    mean, var = moments(x.reshape(1, n * groups, -1))
    rstd = 1 / np.sqrt(var + x.dtype.type(eps))
    centre, scale = (a.repeat(channels // groups).reshape(n, channels) for a in (mean, rstd))
    scale = scale if weight is None else scale * weight
    shift = -centre * scale if bias is None else bias - centre * scale
    y, rows = np.empty(x.shape, x.dtype), (1, n * channels, -1)
    arrays = x.reshape(rows), scale.reshape(-1), shift.reshape(-1), y.reshape(rows)
    share_loop(x.size / WORTH_SHARING, loops.normalize, n * channels, *arrays)
    return y, mean, rstd


def _groups_grad(g, x, mean, rstd, weight, groups) -> bool:
    return alike(g, x, weight) and x.size > 0


def group_norm_grad(g, x, mean, rstd, weight, groups):
    """group_norm_grad, compiled: a pass for the sums and one for dx."""
    n, channels, length = x.shape
    each = channels // groups
    rows, worth = [a.reshape(n * channels, length) for a in (g, x)], x.size / WORTH_SHARING
    centre, factor = mean.repeat(each), rstd.repeat(each).reshape(n, channels)
    total, product = np.empty((n, channels)), np.empty((n, channels))
    share_loop(worth, loops.row_sums, n * channels, *rows, centre, total.reshape(-1), product.reshape(-1))
    dweight, dbias = (product * factor).sum(axis=0).astype(x.dtype), total.sum(axis=0).astype(x.dtype)
    if weight is not None:
        total, product = total * weight, product * weight
    # per group: dx = rstd (g weight - sum(g weight) / n - (x - mean) rstd^2 sum(g weight (x - mean)) / n)
    total, product = (a.reshape(n, groups, each).sum(axis=2) / (-each * length) for a in (total, product))
    rstd = rstd.reshape(n, groups)
    along, shift = ((a * b).astype(x.dtype).repeat(each) for a, b in ((product, rstd**3), (total, rstd)))
    by, dx = (factor if weight is None else factor * weight).reshape(-1), np.empty(x.shape, x.dtype)
    share_loop(worth, loops.mix_rows, n * channels, *rows, centre, by, along, shift, dx.reshape(n * channels, length))
    return dx, dweight, dbias


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.moments.override(_supports)(moments)
    reference.normalize.override(_supports)(normalize)
    reference.normalize_grad.override(_supports_grad)(normalize_grad)
    reference.group_norm.override(_groups)(group_norm)
    reference.group_norm_grad.override(_groups_grad)(group_norm_grad)
