"""The loops that numba compiles for compiled_sums.py. Importing this module imports numba: do so when it is needed."""

from __future__ import annotations

import numpy as np

from .loops import copy, jit
from .scalars import elementwise
from .share_loops import shareable

RUN = 1 << 13  # numbers of a row that are summed in their own dtype, a vector of sums at a time
ROWS = 64  # rows that are summed at a time, four of them in their own dtype
PIECE = 512  # numbers of a row at a time: their sums stay in the first-level cache


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
def row_sums(x, totals, start, stop):
    """totals (R, P), float64: the sums of each row's P runs, x (R, L); runs start to stop of all rows."""
    parts = totals.shape[1]
    for unit in range(start, stop):
        r, p = unit // parts, unit % parts
        row, part = x[r, p * RUN : (p + 1) * RUN], x.dtype.type(0)
        for i in range(len(row)):
            part += row[i]
        totals[r, p] = part


@shareable
@jit
def row_products(x, totals, start, stop):
    """totals (R, P), float64: the products of each row's P runs, x (R, L); runs start to stop of all rows."""
    parts = totals.shape[1]
    for unit in range(start, stop):
        r, p = unit // parts, unit % parts
        row, product = x[r, p * RUN : (p + 1) * RUN], x.dtype.type(1)
        for i in range(len(row)):
            product *= row[i]
        totals[r, p] = product


@shareable
@jit
def column_sums(x, totals, start, stop):
    """totals (B, P, L), float64: the sums of x (B, R, L) over ROWS rows at a time; pieces start to stop of all runs of
    rows."""
    parts, width = totals.shape[1], totals.shape[2]
    pieces = (width + PIECE - 1) // PIECE
    for unit in range(start, stop):
        piece, p, b = unit % pieces, unit // pieces % parts, unit // pieces // parts
        first, last = piece * PIECE, min(width, (piece + 1) * PIECE)
        total = totals[b, p, first:last]
        row, stop_row = p * ROWS, min(x.shape[1], (p + 1) * ROWS)
        for c in range(len(total)):
            total[c] = 0
        while row + 4 <= stop_row:
            r0, r1, r2, r3 = (
                x[b, row, first:last],
                x[b, row + 1, first:last],
                x[b, row + 2, first:last],
                x[b, row + 3, first:last],
            )
            for c in range(len(total)):
                total[c] += (r0[c] + r1[c]) + (r2[c] + r3[c])
            row += 4
        while row < stop_row:
            r0 = x[b, row, first:last]
            for c in range(len(total)):
                total[c] += r0[c]
            row += 1


@shareable
@jit
def running_sums(x, y, backwards, start, stop):
    """y[b, r] = the sum of x[b, 0] to x[b, r], or backwards of x[b, r] to the last; x and y (B, R, L); pieces start to
    stop of L in all B."""
    rows, width = x.shape[1], x.shape[2]
    pieces = (width + PIECE - 1) // PIECE
    step = -1 if backwards else 1
    begin = rows - 1 if backwards else 0
    for unit in range(start, stop):
        piece, b = unit % pieces, unit // pieces
        if width == 1:
            total = x.dtype.type(0)
            for k in range(rows):
                r = np.uintp(begin + k * step)
                total += x[b, r, 0]
                y[b, r, 0] = total
            continue
        first, last = piece * PIECE, min(width, (piece + 1) * PIECE)
        before = y[b, begin, first:last]
        copy(x[b, begin, first:last], before)
        for k in range(1, rows):
            row, out = x[b, begin + k * step, first:last], y[b, begin + k * step, first:last]
            for c in range(len(out)):
                out[c] = before[c] + row[c]
            before = out


@shareable
@elementwise
def running_products(x, y, start, stop):
    """y[b, r] = the product of x[b, 0] to x[b, r]; x and y (B, R, L); pieces start to stop of L in all B."""
    width = x.shape[2]
    pieces = (width + PIECE - 1) // PIECE
    for unit in range(start, stop):
        piece, b = unit % pieces, unit // pieces
        if width == 1:
            row, out, product = x[b, :, 0], y[b, :, 0], x.dtype.type(1)
            for r in range(len(out)):
                product *= row[r]
                out[r] = product
            continue
        first, last = piece * PIECE, min(width, (piece + 1) * PIECE)
        before = y[b, 0, first:last]
        copy(x[b, 0, first:last], before)
        for r in range(1, x.shape[1]):
            row, out = x[b, r, first:last], y[b, r, first:last]
            for c in range(len(out)):
                out[c] = before[c] * row[c]
            before = out
