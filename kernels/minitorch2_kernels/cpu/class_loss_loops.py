"""The loops that numba compiles for compiled_class_loss.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

from .jit import jit


@jit
def nll_mean(x, target, y):
    """y, without dims, = -mean(x[n, target[n]]); the sum is float64's."""
    total = 0.0
    for n in range(x.shape[0]):
        total += x[n, target[n]]
    y[()] = -total / x.shape[0]


@jit
def nll_mean_put(share, target, dx):
    """dx = share at the targets, else 0."""
    dx[:] = 0
    for n in range(dx.shape[0]):
        dx[n, target[n]] = share
