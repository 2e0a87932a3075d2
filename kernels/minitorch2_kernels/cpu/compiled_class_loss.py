"""The mean loss of class indices compiled by numba: NumPy takes a call for each of picking, adding and scaling."""

from __future__ import annotations

import numpy as np

from ..reference import class_loss as reference
from .alike import alike
from .jit import Loops

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


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.nll_mean.override(_matrix)(nll_mean)
    reference.nll_mean_put.override(_into_matrix)(nll_mean_put)
