"""The mean loss of class indices compiled by numba: NumPy takes a call for each of picking, adding and scaling."""

from __future__ import annotations

import numpy as np

from ..reference import class_loss as reference
from .alike import alike, alike_float32
from .compiled_rows import WORTH_SHARING
from .jit import Loops
from .pool import parts_of, share_loop

loops = Loops("class_loss_loops")


def _indices(target) -> bool:
    return type(target) is np.ndarray and target.ndim == 1 and target.dtype == np.int64 and target.flags.c_contiguous


def _matrix(x, target) -> bool:
    return alike(x) and x.ndim == 2 and x.size > 0 and _indices(target)


def _into_matrix(g, target, shape) -> bool:
    return g.dtype.char in "fd" and len(shape) == 2 and _indices(target) and target.size > 0


def nll_mean(x, target):
    """nll_mean, compiled."""
    y = np.empty((), x.dtype)
    loops.nll_mean(x, target, y)
    return y


def nll_mean_put(g, target, shape):
    """nll_mean_put, compiled: a quarter of the time of NumPy's form for 64 rows of 10."""
    dx = np.empty(shape, g.dtype)
    loops.nll_mean_put(-g / g.dtype.type(target.size), target, dx)
    return dx


def _scores(x, target) -> bool:
    return alike_float32(x) and _matrix(x, target)


def cross_entropy_mean(x, target):
    """cross_entropy_mean, compiled: one pass, and no array of logarithms."""
    rows, worth = len(x), x.size / WORTH_SHARING
    sums, shift = np.empty(parts_of(rows) if worth >= 1 else 1), np.empty((rows, 2), x.dtype)
    share_loop(worth, loops.cross_entropy_sums, len(sums), x, target, sums, shift)
    total = sums[0] if len(sums) == 1 else sums.sum()
    return np.array(-total / rows, x.dtype), shift


def _scores_back(g, x, target, shift) -> bool:
    return type(g) is np.ndarray and g.dtype == x.dtype and _scores(x, target)


def cross_entropy_mean_grad(g, x, target, shift):
    """cross_entropy_mean_grad, compiled."""
    dx = np.empty_like(x)
    arguments = g / g.dtype.type(target.size), x, target, shift, dx
    share_loop(x.size / WORTH_SHARING, loops.cross_entropy_mean_grad, len(x), *arguments)
    return dx


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.nll_mean.override(_matrix)(nll_mean)
    reference.nll_mean_put.override(_into_matrix)(nll_mean_put)
    reference.cross_entropy_mean.override(_scores)(cross_entropy_mean)
    reference.cross_entropy_mean_grad.override(_scores_back)(cross_entropy_mean_grad)
