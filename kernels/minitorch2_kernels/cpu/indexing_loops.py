"""The loops that numba compiles for compiled_indexing.py. Importing this module imports numba.

Arrays are (before, along, after) an axis: (A, n, B), what is read from or added to; (A, m, B), at m indices."""

from __future__ import annotations

import numpy as np

from .loops import jit
from .share_loops import shareable
from .tile import copy_row


@shareable
@jit
def find_outside(index, size, found, start, stop):
    """Sets found[0] where one of index[start:stop] is not in [0, size)."""
    outside = 0
    for i in index[start:stop]:
        outside += (i < 0) | (i >= size)
    if outside:
        found[0] = True


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


@shareable
@jit
def take_slices(x, index, y, start, stop):
    """y[a, j] = x[a, index[j]], for the slices start to stop of A*m."""
    size, count, width = x.shape[1], y.shape[1], y.shape[2]
    for a in range(start // count, (stop + count - 1) // count):
        for j in range(max(start - a * count, 0), min(stop - a * count, count)):
            at = index[j]
            if at < -size or at >= size:
                raise IndexError("index out of range")
            row, out = x[a, at], y[a, j]
            for b in range(width):
                out[b] = row[b]


@shareable
@jit
def take_numbers(x, index, y, start, stop):
    """take_slices of single numbers: x (A, n), y (A, m); index in range; a from start to stop."""
    for a in range(start, stop):
        row, out = x[a], y[a]
        for j in range(len(out)):
            out[j] = row[np.uintp(index[j])]  # no sign: no look for an index below zero


@shareable
@jit
def add_slices(out, index, values, start, stop):
    """out[a, index[j]] += values[a, j], in the order of j; a from start to stop."""
    for a in range(start, stop):
        for j in range(len(index)):
            at = index[j]
            if at < 0 or at >= out.shape[1]:
                raise IndexError("index out of range")
            if values.shape[2] == 1:
                out[a, at, 0] += values[a, j, 0]
                continue
            row, more = out[a, at], values[a, j]
            for b in range(len(row)):
                row[b] += more[b]


@jit
def _longest_stretch(index):
    """(start, stop) of the longest part of index (n,) in which each number is the one before and 1."""
    start, best, longest = 0, 0, 0
    for i in range(len(index)):
        start = start if i > 0 and index[i] == index[i - 1] + 1 else i
        if i + 1 - start > longest:
            best, longest = start, i + 1 - start
    return best, best + longest


@shareable
@jit
def take_mesh(x, rows, columns, y, start, stop):
    """y (P, OH, OW) = x (P, H, W) at rows and columns, planes start to stop. Most of a padded row is a stretch of x's,
    and copied as such."""
    first, last = _longest_stretch(columns)
    height, width = x.shape[1:]
    flat, out, to = x.reshape(-1), y.reshape(-1), start * len(rows) * len(columns)
    for p in range(start, stop):
        for i in range(len(rows)):
            at = (p * height + rows[i]) * width
            for j in range(first):
                out[np.uintp(to + j)] = flat[np.uintp(at + columns[j])]
            copy_row(flat, at + columns[first], out, to + first, last - first)
            for j in range(last, len(columns)):
                out[np.uintp(to + j)] = flat[np.uintp(at + columns[j])]
            to += len(columns)


@shareable
@jit
def add_mesh(g, rows, columns, x, start, stop):
    """x (P, H, W), zeros, += g (P, OH, OW) at rows and columns, planes start to stop."""
    first, last = _longest_stretch(columns)
    for p in range(start, stop):
        for i in range(len(rows)):
            row, more = x[p, rows[i]], g[p, i]
            for j in range(first):
                row[np.uintp(columns[j])] += more[j]
            along, stretch = row[columns[first] :], more[first:last]
            for j in range(len(stretch)):
                along[j] += stretch[j]
            for j in range(last, len(more)):
                row[np.uintp(columns[j])] += more[j]


@shareable
@jit
def gather_numbers(x, index, y, start, stop):
    """y[a, j] = x[a, index[a, j]]: x (A, n), index and y (A, m); a from start to stop."""
    for a in range(start, stop):
        row, at, out = x[a], index[a], y[a]
        for j in range(len(out)):
            out[j] = row[np.uintp(at[j])]


@shareable
@jit
def gather(x, index, y, start, stop):
    """y[a, j, b] = x[a, index[a, j, b], b], for the rows start to stop of A*m."""
    count, width = y.shape[1], y.shape[2]
    for a in range(start // count, (stop + count - 1) // count):
        table = x[a]
        for j in range(max(start - a * count, 0), min(stop - a * count, count)):
            at, out = index[a, j], y[a, j]
            for b in range(width):
                out[b] = table[at[b], b]


@shareable
@jit
def scatter_numbers(out, index, values, start, stop):
    """out[a, index[a, j]] = values[a, j], in the order of j: out (A, n), index and values (A, m); a from start to
    stop."""
    for a in range(start, stop):
        row, at, new = out[a], index[a], values[a]
        for j in range(len(new)):
            row[np.uintp(at[j])] = new[j]


@shareable
@jit
def scatter_add_numbers(out, index, values, start, stop):
    """As scatter_numbers, but values are added to what is there."""
    for a in range(start, stop):
        row, at, more = out[a], index[a], values[a]
        for j in range(len(more)):
            row[np.uintp(at[j])] += more[j]


@shareable
@jit
def scatter(out, index, values, by_columns, start, stop):
    """out[a, index[a, j, b], b] = values[a, j, b], in the order of j; a, or by_columns b, from start to stop."""
    first, last = (0, len(out)) if by_columns else (start, stop)
    left, right = (start, stop) if by_columns else (0, out.shape[2])
    for a in range(first, last):
        table = out[a]
        for j in range(index.shape[1]):
            at, new = index[a, j], values[a, j]
            for b in range(left, right):
                table[at[b], b] = new[b]


@shareable
@jit
def scatter_add(out, index, values, by_columns, start, stop):
    """As scatter, but values are added to what is there."""
    first, last = (0, len(out)) if by_columns else (start, stop)
    left, right = (start, stop) if by_columns else (0, out.shape[2])
    for a in range(first, last):
        table = out[a]
        for j in range(index.shape[1]):
            at, more = index[a, j], values[a, j]
            for b in range(left, right):
                table[at[b], b] += more[b]


@shareable
@jit
def scatter_extremes(out, index, values, sign, by_columns, start, stop):
    """As scatter_add, with the larger of the two, or by sign -1 the smaller, for their sum; the first NaN stays."""
    first, last = (0, len(out)) if by_columns else (start, stop)
    left, right = (start, stop) if by_columns else (0, out.shape[2])
    for a in range(first, last):
        table = out[a]
        for j in range(index.shape[1]):
            at, new = index[a, j], values[a, j]
            for b in range(left, right):
                old, v = table[at[b], b], new[b]
                table[at[b], b] = v if (v * sign > old * sign) | (v != v) else old


@shareable
@jit
def mix_slices(x, index, weights, y, start, stop):
    """y[a, j] = the sum over t of x[a, index[t, j]] weights[t, j], for the slices start to stop of A*m."""
    count = y.shape[1]
    for a in range(start // count, (stop + count - 1) // count):
        table = x[a]
        for j in range(max(start - a * count, 0), min(stop - a * count, count)):
            out, row, factor = y[a, j], table[index[0, j]], weights[0, j]
            for b in range(len(out)):
                out[b] = row[b] * factor
            for t in range(1, len(index)):
                row, factor = table[index[t, j]], weights[t, j]
                for b in range(len(out)):
                    out[b] += row[b] * factor


@shareable
@jit
def mix_numbers(x, index, weights, y, start, stop):
    """mix_slices of single numbers: x (A, n), y (A, m); a from start to stop."""
    for a in range(start, stop):
        row, out, at, factor = x[a], y[a], index[0], weights[0]
        for j in range(len(out)):
            out[j] = row[np.uintp(at[j])] * factor[j]
        for t in range(1, len(index)):
            at, factor = index[t], weights[t]
            for j in range(len(out)):
                out[j] += row[np.uintp(at[j])] * factor[j]


@shareable
@jit
def unmix_slices(out, index, weights, values, start, stop):
    """out[a, index[t, j]] += weights[t, j] values[a, j], for every j and t; a from start to stop."""
    for a in range(start, stop):
        table = out[a]
        for j in range(index.shape[1]):
            for t in range(len(index)):
                factor = weights[t, j]
                if values.shape[2] == 1:
                    table[index[t, j], 0] += values[a, j, 0] * factor
                    continue
                row, more = table[index[t, j]], values[a, j]
                for b in range(len(row)):
                    row[b] += more[b] * factor
