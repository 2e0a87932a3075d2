"""The loops that numba compiles for compiled_pooling.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

import functools

import numpy as np

from . import jit as compiling
from .share_loops import shareable

jit = functools.partial(compiling.jit, error_model="numpy")


@jit
def _anywhere(plane, lowest, y, winner, kh, kw, sh, sw, ph, pw, dh, dw):
    """Windows of any kind in one plane, place by place."""
    height, width = plane.shape
    for i in range(y.shape[0]):
        top = i * sh - ph
        first_k = (dh - 1 - top) // dh if top < 0 else 0  # the taps that lie inside the image
        last_k = min(kh, (height - top + dh - 1) // dh)
        for j in range(y.shape[1]):
            left = j * sw - pw
            first_m = (dw - 1 - left) // dw if left < 0 else 0
            last_m = min(kw, (width - left + dw - 1) // dw)
            best = lowest  # stays where a window sees nothing but padding
            number = first_k * kw + first_m
            for k in range(first_k, last_k):
                row = plane[top + k * dh]
                for m in range(first_m, last_m):
                    value = row[left + m * dw]
                    better = (value > best) | (value != value)  # the first of equals, the last NaN
                    best = value if better else best  # selects, not jumps: no guess to get wrong
                    number = k * kw + m if better else number
            y[i, j] = best
            winner[i, j] = number


@shareable
@jit
def max_pool(x, lowest, y, winner, kh, kw, sh, sw, ph, pw, dh, dw, start, stop):
    """Windows of any kind."""
    for n in range(start, stop):
        for c in range(x.shape[1]):
            _anywhere(x[n, c], lowest, y[n, c], winner[n, c], kh, kw, sh, sw, ph, pw, dh, dw)


@shareable
@jit
def max_pool_2x2(x, lowest, y, winner, start, stop):
    """Windows of 2 x 2, side by side: eight places at once, a sixth of max_pool's time.

    The compiler does so while all that a loop selects is as wide as a float, and the largest is not asked about NaN:
    the winners are narrowed afterwards, and a plane that has a NaN is done again.
    """
    oh, ow = y.shape[2:]
    numbers = np.empty(oh * ow, np.int32)
    for n in range(start, stop):
        for c in range(x.shape[1]):
            plane, not_a_number = x[n, c], np.int32(0)
            for i in range(oh):
                above, below, best, number = plane[2 * i], plane[2 * i + 1], y[n, c, i], numbers[i * ow : i * ow + ow]
                for j in range(ow):
                    left, right = np.uintp(2 * j), np.uintp(2 * j + 1)  # no sign: no look for an index below zero
                    p, q, r, s = above[left], above[right], below[left], below[right]
                    top = max(max(p, q), max(r, s))
                    t = np.int32(2) if r == top else np.int32(3)
                    t = np.int32(1) if q == top else t
                    best[j], number[j] = top, np.int32(0) if p == top else t
                    not_a_number |= np.int32((p != p) | (q != q) | (r != r) | (s != s))
            if not_a_number:
                _anywhere(plane, lowest, y[n, c], winner[n, c], 2, 2, 2, 2, 0, 0, 1, 1)
            else:
                narrow = winner[n, c].reshape(-1)
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
def avg_pool(x, divisor, y, kh, kw, sh, sw, ph, pw, start, stop):
    """y (P, OH, OW) = the sums over windows of x (P, H, W) over `divisor` (OH, OW): first of rows, then in that line;
    planes start to stop."""
    height, width = x.shape[1:]
    line = np.empty(width, x.dtype)
    for p in range(start, stop):
        for i in range(y.shape[1]):
            for j in range(width):
                line[j] = 0
            for r in range(max(0, i * sh - ph), min(height, i * sh - ph + kh)):
                row = x[p, r]
                for j in range(width):
                    line[j] += row[j]
            for j in range(y.shape[2]):
                total = x.dtype.type(0)
                for m in range(max(0, j * sw - pw), min(width, j * sw - pw + kw)):
                    total += line[m]
                y[p, i, j] = total / divisor[i, j]


@shareable
@jit
def avg_pool_put(g, divisor, dx, kh, kw, sh, sw, ph, pw, start, stop):
    """dx (P, H, W), zeros, += every place's share of g (P, OH, OW) to all of its window; planes start to stop."""
    height, width = dx.shape[1:]
    line = np.empty(width, g.dtype)
    for p in range(start, stop):
        for i in range(g.shape[1]):
            for j in range(width):
                line[j] = 0
            for j in range(g.shape[2]):
                share = g[p, i, j] / divisor[i, j]
                for m in range(max(0, j * sw - pw), min(width, j * sw - pw + kw)):
                    line[m] += share
            for r in range(max(0, i * sh - ph), min(height, i * sh - ph + kh)):
                row = dx[p, r]
                for j in range(width):
                    row[j] += line[j]
