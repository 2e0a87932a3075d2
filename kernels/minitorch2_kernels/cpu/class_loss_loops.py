"""The loops that numba compiles for compiled_class_loss.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .loops import clear, part_of
from .row_loops import exp_total, largest
from .scalars import elementwise, exp
from .share_loops import shareable


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
    for n in range(dx.shape[0]):
        clear(dx[n])
        dx[n, target[n]] = share


@shareable
@elementwise
def cross_entropy_sums(x, target, sums, shift, start, stop):
    """sums (parts,), float64: of parts start to stop of the rows, the sums of x[n, target[n]] - sum(shift[n]), where
    shift (N, 2) = each row's largest and log(sum(exp(x - largest)))."""
    rows, parts = len(x), len(sums)
    for part in range(start, stop):
        total = 0.0
        first, last = part_of(rows, part, parts)
        for n in range(first, last):
            row = x[n]
            top = largest(row, row.size)
            log_total = np.log(exp_total(row, top))
            shift[n, 0], shift[n, 1] = top, log_total
            total += row[target[n]] - top - log_total
        sums[part] = total


@shareable
@elementwise
def cross_entropy_mean_grad(share, x, target, shift, dx, start, stop):
    """dx = (exp(x - sum(shift)) - 1 at the target) * share, of rows start to stop."""
    for n in range(start, stop):
        row, out, top, log_total = x[n], dx[n], shift[n, 0], shift[n, 1]
        for j in range(row.size):
            out[j] = exp(row[j] - top - log_total) * share
        out[target[n]] -= share
