"""The loops that numba compiles for compiled_pooling.py. Importing this module imports numba: do so when needed.

Where windows lie in the image, rows (OH, 3) and columns (OW, 3) say, int64: the first of each, how many there are, and
the number that the first has among those of the window."""

from __future__ import annotations

import functools

import numpy as np

from . import jit as compiling
from .share_loops import shareable

jit = functools.partial(compiling.jit, error_model="numpy")


@jit
def _of_plane(plane, lowest, y, winner, rows, columns, dh, dw, pitch, best, at):
    """The largest of each window of one plane and its number, (that of its row) * pitch + that of its column: of equals
    the first, of NaN the last. For each row of windows first column by column, into best and at (W,), then over the
    columns of each window. Taps are dh and dw elements apart."""
    index = at.dtype.type
    for i in range(len(rows)):
        first, count, k = rows[i, 0], rows[i, 1], index(rows[i, 2])
        for c in range(len(best)):
            best[c], at[c] = lowest, k  # stays where a window sees nothing but padding
        for r in range(count):
            row, number = plane[first + r * dh], index(k + r)
            for c in range(len(best)):
                value = row[c]
                better = (value > best[c]) | (value != value)
                best[c] = value if better else best[c]  # selects, not jumps: no guess to get wrong
                at[c] = number if better else at[c]
        for j in range(len(columns)):
            left, m = columns[j, 0], columns[j, 2]
            top, row_of_top, column_of_top = lowest, k, m
            for c in range(columns[j, 1]):
                value, r = best[left + c * dw], at[left + c * dw]
                sooner, later = (value == top) & (r < row_of_top), (top == top) | (r >= row_of_top)
                better = (value > top) | sooner | ((value != value) & later)
                top = value if better else top
                row_of_top = r if better else row_of_top
                column_of_top = m + c if better else column_of_top
            y[i, j] = top
            winner[i, j] = row_of_top * pitch + column_of_top


@shareable
@jit
def max_pool(x, lowest, y, winner, rows, columns, dh, dw, pitch, numbers, start, stop):
    """Windows of any kind in planes (P, H, W), start to stop. numbers (0,): of integers as wide as a float, so that the
    compiler selects eight of both at once."""
    best, at = np.empty(x.shape[2], x.dtype), np.empty(x.shape[2], numbers.dtype)
    for p in range(start, stop):
        _of_plane(x[p], lowest, y[p], winner[p], rows, columns, dh, dw, pitch, best, at)


@shareable
@jit
def max_pool_2x2(x, lowest, y, winner, rows, columns, start, stop):
    """Windows of 2 x 2, side by side: eight places at once.

    The compiler does so while all that a loop selects is as wide as a float, and the largest is not asked about NaN:
    the winners are narrowed afterwards, and a plane that has a NaN is done again.
    """
    oh, ow = y.shape[1:]
    numbers = np.empty(oh * ow, np.int32)
    for p in range(start, stop):
        plane, not_a_number = x[p], np.int32(0)
        for i in range(oh):
            above, below, best, number = plane[2 * i], plane[2 * i + 1], y[p, i], numbers[i * ow : i * ow + ow]
            for j in range(ow):
                left, right = np.uintp(2 * j), np.uintp(2 * j + 1)  # no sign: no look for an index below zero
                q, r, s, t = above[left], above[right], below[left], below[right]
                top = max(max(q, r), max(s, t))
                won = np.int32(2) if s == top else np.int32(3)
                won = np.int32(1) if r == top else won
                best[j], number[j] = top, np.int32(0) if q == top else won
                not_a_number |= np.int32((q != q) | (r != r) | (s != s) | (t != t))
        if not_a_number:
            best_of, at = np.empty(x.shape[2], x.dtype), np.empty(x.shape[2], np.int32)
            _of_plane(plane, lowest, y[p], winner[p], rows, columns, 1, 1, 2, best_of, at)
        else:
            narrow = winner[p].reshape(-1)
            for j in range(numbers.size):
                narrow[j] = numbers[j]


@shareable
@jit
def max_pool_put(g, winner, dx, rows, columns, sh, sw, start, stop):
    """Every g to its one place: that of tap t of the window at i, j is i * sh + rows[t], j * sw + columns[t].

    With padding a window may have seen nothing else: its winner lies outside, and its g is forgotten."""
    height, width = dx.shape[2:]
    for n in range(start, stop):
        for c in range(g.shape[1]):
            plane, slope, won = dx[n, c], g[n, c], winner[n, c]
            for i in range(g.shape[2]):
                for j in range(g.shape[3]):
                    tap = won[i, j]
                    row, column = i * sh + rows[tap], j * sw + columns[tap]
                    if 0 <= row < height and 0 <= column < width:
                        plane[row, column] += slope[i, j]


@shareable
@jit
def avg_pool(x, divisor, y, rows, columns, start, stop):
    """y (P, OH, OW) = the sums over windows of x (P, H, W) over `divisor` (OH, OW): first of rows, then in that line;
    planes start to stop."""
    line = np.empty(x.shape[2], x.dtype)
    for p in range(start, stop):
        for i in range(len(rows)):
            for j in range(len(line)):
                line[j] = 0
            for r in range(rows[i, 0], rows[i, 0] + rows[i, 1]):
                row = x[p, r]
                for j in range(len(line)):
                    line[j] += row[j]
            for j in range(len(columns)):
                total = x.dtype.type(0)
                for m in range(columns[j, 0], columns[j, 0] + columns[j, 1]):
                    total += line[m]
                y[p, i, j] = total / divisor[i, j]


@shareable
@jit
def avg_pool_put(g, divisor, dx, rows, columns, start, stop):
    """dx (P, H, W), zeros, += every place's share of g (P, OH, OW) to all of its window; planes start to stop."""
    line = np.empty(dx.shape[2], g.dtype)
    for p in range(start, stop):
        for i in range(len(rows)):
            for j in range(len(line)):
                line[j] = 0
            for j in range(len(columns)):
                share = g[p, i, j] / divisor[i, j]
                for m in range(columns[j, 0], columns[j, 0] + columns[j, 1]):
                    line[m] += share
            for r in range(rows[i, 0], rows[i, 0] + rows[i, 1]):
                row = dx[p, r]
                for j in range(len(line)):
                    row[j] += line[j]


@shareable
@jit
def plane_put(g, indices, dx, start, stop):
    """dx (P, H * W), zeros, += g (P, n) at indices (P, n); planes start to stop."""
    for p in range(start, stop):
        row, at, to = g[p], indices[p], dx[p]
        for i in range(len(row)):
            to[at[i]] += row[i]
