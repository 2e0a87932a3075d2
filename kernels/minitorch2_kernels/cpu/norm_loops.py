"""The loops that numba compiles for compiled_norm.py. Importing this imports numba.

x, g, y, dx: (A, B, L), C-contiguous; what belongs to a channel: (B,). First and last are the channels to do; rows are
gone through as they lie in memory, and a second pass over the channels of one call finds them in cache.
"""

from __future__ import annotations

from .loops import jit
from .share_loops import shareable


@jit
def _moments(x, total, square, mean, first, last):
    a, _, length = x.shape
    for n in range(a):
        for b in range(first, last):
            row = x[n, b]
            part = x.dtype.type(0)
            for i in range(length):
                part += row[i]
            total[b] += part
    for b in range(first, last):
        mean[b] = total[b] / (a * length)
    for n in range(a):
        for b in range(first, last):
            row, centre = x[n, b], mean[b]
            part = x.dtype.type(0)
            for i in range(length):
                part += (row[i] - centre) * (row[i] - centre)
            square[b] += part


@shareable
@jit
def moments(x, total, square, mean, step, first, last):
    """mean, and in `square` the sum of (x - mean)^2, `step` channels at a time. total, square: float64, zeros."""
    for begin in range(first, last, step):
        _moments(x, total, square, mean, begin, min(last, begin + step))


@shareable
@jit
def normalize(x, scale, shift, y, start, stop):
    """y = x * scale + shift, for the rows start to stop of A*B."""
    channels = x.shape[1]
    for place in range(start, stop):
        n, b = place // channels, place % channels
        row, out, by, plus = x[n, b], y[n, b], scale[b], shift[b]
        for i in range(len(row)):
            out[i] = row[i] * by + plus


@jit
def _sums(g, x, mean, total, product, first, last):
    a, _, length = x.shape
    for n in range(a):
        for b in range(first, last):
            slope, row, centre = g[n, b], x[n, b], mean[b]
            one = two = x.dtype.type(0)
            for i in range(length):
                one += slope[i]
                two += slope[i] * (row[i] - centre)
            total[b] += one
            product[b] += two


@shareable
@jit
def row_sums(g, x, mean, total, product, first, last):
    """total = sum of g and product = sum of g * (x - mean), of rows first to last of g and x (R, L)."""
    for r in range(first, last):
        slope, row, centre = g[r], x[r], mean[r]
        one = two = x.dtype.type(0)
        for i in range(len(row)):
            one += slope[i]
            two += slope[i] * (row[i] - centre)
        total[r], product[r] = one, two


@shareable
@jit
def mix_rows(g, x, mean, by, along, shift, dx, first, last):
    """dx = g * by + (x - mean) * along + shift, rows first to last of g, x and dx (R, L)."""
    for r in range(first, last):
        slope, row, out, centre, factor, times, plus = g[r], x[r], dx[r], mean[r], by[r], along[r], shift[r]
        for i in range(len(row)):
            out[i] = slope[i] * factor + (row[i] - centre) * times + plus


@jit
def _normalize_grad(g, x, mean, scale, along, shift, dx, first, last):
    for n in range(x.shape[0]):
        for b in range(first, last):
            slope, row, out = g[n, b], x[n, b], dx[n, b]
            centre, by, times, plus = mean[b], scale[b], along[b], shift[b]
            for i in range(len(row)):
                out[i] = (slope[i] + (row[i] - centre) * times + plus) * by


@shareable
@jit
def normalize_grad(g, x, mean, rstd, scale, from_batch, total, product, along, shift, dx, step, first, last):
    """dx = (g + (x - mean) * along + shift) * scale, `step` channels at a time. total = sum of g and product = sum of
    g * (x - mean), float64, come as zeros, and so do along and shift, which remain so but where from_batch."""
    count = x.shape[0] * x.shape[2]
    for begin in range(first, last, step):
        end = min(last, begin + step)
        _sums(g, x, mean, total, product, begin, end)
        if from_batch:
            for b in range(begin, end):
                along[b], shift[b] = product[b] * (rstd[b] * rstd[b]) / -count, total[b] / -count
        _normalize_grad(g, x, mean, scale, along, shift, dx, begin, end)


@shareable
@jit
def column_moments(x, total, square, mean, first, last):
    """moments of x (A, B), which has a number for each of them in every row."""
    total, square, mean = total[first:last], square[first:last], mean[first:last]
    for n in range(x.shape[0]):
        row = x[n, first:last]
        for b in range(len(row)):
            total[b] += row[b]
    for b in range(len(mean)):
        mean[b] = total[b] / x.shape[0]
    for n in range(x.shape[0]):
        row = x[n, first:last]
        for b in range(len(row)):
            square[b] += (row[b] - mean[b]) * (row[b] - mean[b])


@shareable
@jit
def normalize_columns(x, scale, shift, y, start, stop):
    """normalize of x (A, B), rows start to stop."""
    for n in range(start, stop):
        row, out = x[n], y[n]
        for b in range(len(row)):
            out[b] = row[b] * scale[b] + shift[b]


@shareable
@jit
def normalize_columns_grad(g, x, mean, rstd, scale, from_batch, total, product, along, shift, dx, first, last):
    """normalize_grad of x (A, B), columns first to last."""
    total, product, mean = total[first:last], product[first:last], mean[first:last]
    along, shift, scale = along[first:last], shift[first:last], scale[first:last]
    for n in range(x.shape[0]):
        slope, row = g[n, first:last], x[n, first:last]
        for b in range(len(row)):
            total[b] += slope[b]
            product[b] += slope[b] * (row[b] - mean[b])
    if from_batch:
        for b in range(len(mean)):
            factor = rstd[first + b]
            along[b], shift[b] = product[b] * (factor * factor) / -x.shape[0], total[b] / -x.shape[0]
    for n in range(x.shape[0]):
        slope, row, out = g[n, first:last], x[n, first:last], dx[n, first:last]
        for b in range(len(row)):
            out[b] = (slope[b] + (row[b] - mean[b]) * along[b] + shift[b]) * scale[b]
