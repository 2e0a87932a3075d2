"""The loops that numba compiles for compiled_extremes.py. Importing this module imports numba: do so when it is needed.

x (B, N, L), sign 1 for the largest number over N or -1 for the smallest; y and index (B, L), of which the other one has
no elements. A number is better than the best so far if it is larger, or the first NaN."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .loops import clear, copy
from .share_loops import shareable

PIECE = 512  # columns at a time, whose best stay in the first-level cache


@shareable
@jit
def of_rows(x, sign, y, index, start, stop):
    """L = 1, rows start to stop of B."""
    for b in range(start, stop):
        row = x[b]
        best, at = row[0, 0] * sign, 0
        for i in range(1, len(row)):
            v = row[i, 0] * sign
            better = (v > best) | ((v != v) & (best == best))
            best, at = v if better else best, i if better else at  # selects, not jumps: no guess to get wrong
        if y.size:
            y[b, 0] = best * sign
        else:
            index[b, 0] = at


@shareable
@jit
def of_columns(x, sign, y, start, stop):
    """The numbers, for pieces start to stop of L in all B."""
    width = x.shape[2]
    pieces = (width + PIECE - 1) // PIECE
    for unit in range(start, stop):
        b, first = unit // pieces, unit % pieces * PIECE
        best = y[b, first : first + PIECE]
        for i in range(x.shape[1]):
            row = x[b, i, first : first + PIECE]
            for c in range(len(best)):
                v = row[c]
                better = (v * sign > best[c] * sign) | (v != v)
                best[c] = v if better or i == 0 else best[c]


@shareable
@jit
def of_columns_where(x, sign, best, index, start, stop):
    """Where they stand; best (B, L) as y, on the way."""
    width = x.shape[2]
    pieces = (width + PIECE - 1) // PIECE
    for unit in range(start, stop):
        b, first = unit // pieces, unit % pieces * PIECE
        own, at = best[b, first : first + PIECE], index[b, first : first + PIECE]
        row = x[b, 0, first : first + PIECE]
        for c in range(len(own)):
            own[c], at[c] = row[c], 0
        for i in range(1, x.shape[1]):
            row = x[b, i, first : first + PIECE]
            for c in range(len(own)):
                v, u = row[c], own[c]
                better = (v * sign > u * sign) | ((v != v) & (u == u))
                own[c] = v if better else u
                at[c] = i if better else at[c]


@shareable
@jit
def running(x, sign, index, start, stop):
    """index (B, N, L): where the best of x[b, 0] to x[b, n] stands, the last of equals; pieces start to stop of L in
    all B."""
    pieces = (x.shape[2] + PIECE - 1) // PIECE
    for unit in range(start, stop):
        b, first = unit // pieces, unit % pieces * PIECE
        table, places = x[b], index[b]
        if x.shape[2] == 1:
            best, at = table[0, 0] * sign, 0
            for i in range(len(table)):
                v = table[i, 0] * sign
                if not v < best and (v >= best or v != v):  # `not` makes it a jump, which is seldom taken
                    best, at = v, i
                places[i, 0] = at
            continue
        last = min(first + PIECE, x.shape[2])
        best = np.empty(last - first, x.dtype)
        copy(table[0, first:last], best)
        before = places[0, first:last]
        clear(before)
        for i in range(1, len(table)):
            row, out = table[i, first:last], places[i, first:last]
            for c in range(len(row)):
                better = (row[c] * sign >= best[c] * sign) | (row[c] != row[c])
                best[c] = row[c] if better else best[c]
                out[c] = i if better else before[c]
            before = out
