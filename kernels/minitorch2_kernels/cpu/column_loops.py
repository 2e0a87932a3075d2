"""Softmax along an axis that is not the last, for compiled_rows.py: float32 (B, R, L), over R. Imports numba.

A piece of L at a time, so that what belongs to each of its columns stays in the first-level cache. Pieces start to stop
of all B."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .row_loops import summing
from .scalars import elementwise, exp
from .share_loops import shareable

PIECE = 256  # numbers
_0, _1, _INF = np.float32(0), np.float32(1), np.float32(np.inf)


@jit
def _piece(x, unit):
    """(b, first, last): which columns this piece has."""
    pieces = (x.shape[2] + PIECE - 1) // PIECE
    first = unit % pieces * PIECE
    return unit // pieces, first, min(first + PIECE, x.shape[2])


@elementwise
def _largest(x, top):
    for j in range(len(top)):
        top[j] = -_INF
    for r in range(len(x)):
        row = x[r]
        for j in range(len(top)):
            top[j] = row[j] if row[j] > top[j] or row[j] != row[j] else top[j]  # NaN stays


@shareable
@elementwise
def softmax_columns(x, y, start, stop):
    """y = exp(x - max) / sum"""
    tops, totals = np.empty(PIECE, np.float32), np.empty(PIECE, np.float32)
    for unit in range(start, stop):
        b, first, last = _piece(x, unit)
        top, total = tops[: last - first], totals[: last - first]
        _largest(x[b, :, first:last], top)
        for j in range(len(top)):
            total[j] = _0
        for r in range(x.shape[1]):
            row, out = x[b, r, first:last], y[b, r, first:last]
            for j in range(len(top)):
                out[j] = exp(row[j] - top[j])
                total[j] += out[j]
        for j in range(len(top)):
            total[j] = _1 / total[j]
        for r in range(x.shape[1]):
            out = y[b, r, first:last]
            for j in range(len(top)):
                out[j] *= total[j]


@shareable
@elementwise
def log_softmax_columns(x, y, start, stop):
    """y = x - max - log(sum(exp(x - max)))"""
    tops, totals = np.empty(PIECE, np.float32), np.empty(PIECE, np.float32)
    for unit in range(start, stop):
        b, first, last = _piece(x, unit)
        top, total = tops[: last - first], totals[: last - first]
        _largest(x[b, :, first:last], top)
        for j in range(len(top)):
            total[j] = _0
        for r in range(x.shape[1]):
            row = x[b, r, first:last]
            for j in range(len(top)):
                total[j] += exp(row[j] - top[j])
        for j in range(len(top)):
            total[j] = np.log(total[j])
        for r in range(x.shape[1]):
            row, out = x[b, r, first:last], y[b, r, first:last]
            for j in range(len(top)):
                out[j] = row[j] - top[j] - total[j]


@shareable
@summing
def softmax_grad_columns(g, y, dx, start, stop):
    """dx = y (g - sum(g y))"""
    totals = np.empty(PIECE, np.float32)
    for unit in range(start, stop):
        b, first, last = _piece(y, unit)
        total = totals[: last - first]
        for j in range(len(total)):
            total[j] = _0
        for r in range(y.shape[1]):
            up, value = g[b, r, first:last], y[b, r, first:last]
            for j in range(len(total)):
                total[j] += up[j] * value[j]
        for r in range(y.shape[1]):
            up, value, out = g[b, r, first:last], y[b, r, first:last], dx[b, r, first:last]
            for j in range(len(total)):
                out[j] = value[j] * (up[j] - total[j])


@shareable
@elementwise
def log_softmax_grad_columns(g, y, dx, start, stop):
    """dx = g - exp(y) sum(g)"""
    totals = np.empty(PIECE, np.float32)
    for unit in range(start, stop):
        b, first, last = _piece(y, unit)
        total = totals[: last - first]
        for j in range(len(total)):
            total[j] = _0
        for r in range(y.shape[1]):
            up = g[b, r, first:last]
            for j in range(len(total)):
                total[j] += up[j]
        for r in range(y.shape[1]):
            up, value, out = g[b, r, first:last], y[b, r, first:last], dx[b, r, first:last]
            for j in range(len(total)):
                out[j] = up[j] - exp(value[j]) * total[j]
