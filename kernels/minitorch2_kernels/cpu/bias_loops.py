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
