"""The loops that numba compiles for compiled_bias.py. Importing this module imports numba: do so when it is needed."""

from __future__ import annotations

from .loops import jit
from .share_loops import shareable


@shareable
@jit
def add_bias(rows, bias, start, stop):
    """rows (N*C, L) += bias (C,), each row its channel's; rows start to stop."""
    channels = len(bias)
    for r in range(start, stop):
        row, b = rows[r], bias[r % channels]
        for i in range(len(row)):
            row[i] += b


@shareable
@jit
def channel_sums(x, total, first, last):
    """total (C,), float64 zeros, += the sums of x (N, C, L) over N and L; channels first to last."""
    for n in range(x.shape[0]):
        for c in range(first, last):
            row, part = x[n, c], x.dtype.type(0)
            for i in range(len(row)):
                part += row[i]
            total[c] += part


@shareable
@jit
def column_sums(x, total, first, last):
    """total (C,), float64 zeros, += the sums of the columns of x (N, C); columns first to last."""
    sums = total[first:last]
    for n in range(x.shape[0]):
        row = x[n, first:last]
        for c in range(len(row)):
            sums[c] += row[c]
