"""The loop that numba compiles for compiled_indexing.py. Importing this module imports numba."""

from __future__ import annotations

from .jit import jit
from .share_loops import shareable


@shareable
@jit
def index_add(out, index, values, start, stop):
    """Columns start to stop of out[index[i]] += values[i], in the order of i; out (M, W), values (n, W)."""
    for i in range(len(index)):
        at = index[i]
        if at < 0 or at >= len(out):
            raise IndexError("index out of range")
        row, more = out[at, start:stop], values[i, start:stop]
        for j in range(len(row)):
            row[j] += more[j]
