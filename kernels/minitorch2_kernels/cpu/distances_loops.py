"""The loops that numba compiles for compiled_distances.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

import numpy as np

from .loops import jit
from .share_loops import shareable

NEAR = 1e-3  # of the squares of both lengths; below, their difference has lost three of its sixteen digits


@shareable
@jit
def euclidean(x1, x2, lengths1, lengths2, products, y, start, stop):
    """y (B, P, R) of x1 (B, P, M) and x2 (B, R, M), rows start to stop of B*P: by squared lengths and products, both
    float64, or where these are near each other by differences."""
    rows, zero = y.shape[1], y.dtype.type(0)
    for unit in range(start, stop):
        b, p = unit // rows, unit % rows
        point, length, lengths, product, row = x1[b, p], lengths1[b, p], lengths2[b], products[b, p], y[b, p]
        near = 0
        for r in range(len(row)):
            square = length + lengths[r] - 2 * product[r]
            near += not square > NEAR * (length + lengths[r])  # a NaN, too
            row[r] = np.sqrt(square)
        for r in range(len(row) if near > 0 else 0):
            if not length + lengths[r] - 2 * product[r] > NEAR * (length + lengths[r]):
                other, total = x2[b, r], zero
                for m in range(len(point)):
                    total += (point[m] - other[m]) ** 2
                row[r] = np.sqrt(total)


@shareable
@jit
def euclidean_few(x1, turned, y, start, stop):
    """As euclidean, of few dims, by differences; turned (B, M, R)."""
    rows, zero = y.shape[1], y.dtype.type(0)
    for unit in range(start, stop):
        b, p = unit // rows, unit % rows
        row = y[b, p]
        for r in range(len(row)):
            row[r] = zero
        for m in range(turned.shape[1]):
            number, others = x1[b, p, m], turned[b, m]
            for r in range(len(row)):
                row[r] += (number - others[r]) ** 2
        for r in range(len(row)):
            row[r] = np.sqrt(row[r])
