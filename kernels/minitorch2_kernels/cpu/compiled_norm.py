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


def _supports_rows(g, x, *rest) -> bool:
    return alike(g, x) and x.shape[0] == 1 and x.size > 0


def affine_grad(g, x, mean, rstd):
    """affine_grad of rows, compiled."""
    rows, worth = x.shape[1:], x.size / WORTH_SHARING
    total, product = np.empty(rows[0]), np.empty(rows[0])
    share_loop(worth, loops.row_sums, rows[0], g.reshape(rows), x.reshape(rows), mean, total, product)
    return (product * rstd).astype(x.dtype), total.astype(x.dtype)


def mix(g, x, mean, by, along, shift):
    """mix of rows, compiled: one pass."""
    rows, worth, y = x.shape[1:], x.size / WORTH_SHARING, np.empty(x.shape, x.dtype)
    arrays = g.reshape(rows), x.reshape(rows), mean, by, along, shift, y.reshape(rows)
    share_loop(worth, loops.mix_rows, rows[0], *arrays)
    return y


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.moments.override(_supports)(moments)
    reference.normalize.override(_supports)(normalize)
    reference.normalize_grad.override(_supports_grad)(normalize_grad)
    reference.affine_grad.override(_supports_rows)(affine_grad)
    reference.mix.override(_supports_rows)(mix)
