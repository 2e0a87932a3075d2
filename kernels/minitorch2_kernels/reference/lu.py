"""Triangular factors of matrices in batches, rows exchanged: A = P L U, by Gauss's elimination.

Arrays are float32 or float64, matrices lie in the last two dims, and the dims before them are those of the batch.
Exchanges are told as LAPACK tells them: `pivots` (..., k), k = min(m, n), says of step i, from 0, which row changed
places with row i, the first row being number 1.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace
from .matmul import matmul
from .solving import solve_triangular

NARROW = 8  # columns that are eliminated one by one; more are split into halves, for products of matrices


@kernel
def lu_factor(a):
    """(lu, pivots, info) of a (..., m, n): U in lu's upper triangle, L below it without its diagonal of ones.

    pivots (..., k) and info (...) are int32. The largest element of a column becomes its pivot. info is 0, or the
    number, from 1, of the first pivot that is 0; the elimination goes on past it.
    """
    xp = namespace(a)
    lu = a.copy()
    places = _factorize(lu)
    zero = lu.diagonal(0, -2, -1) == 0
    info = xp.where(zero.any(axis=-1), zero.argmax(axis=-1) + 1, 0) if zero.shape[-1] else xp.zeros(a.shape[:-2])
    return lu, (places + 1).astype(np.int32), info.astype(np.int32)


@kernel
def row_order(pivots, rows):
    """Where each row of a matrix of so many came from, (..., rows), int64: P L U = A is L U = A[order]."""
    xp = namespace(pivots)
    number = xp.arange(rows)
    order = xp.broadcast_to(number, (*pivots.shape[:-1], rows)).copy()
    for i in range(pivots.shape[-1]):
        place = pivots[..., i, None].astype(np.int64) - 1  # (..., 1)
        moved = xp.take_along_axis(order, place, axis=-1)[..., 0]
        order = xp.where(number == place, order[..., i, None], order)
        order[..., i] = moved
    return order


def _factorize(a):
    """Turns a, in place, into its factors: those of the left half of its columns, then those of what is left of the
    right half. Returns the places (..., k) of the pivots, from 0."""
    k = min(a.shape[-2:])
    if k <= NARROW:
        return _factorize_columns(a)
    half = k // 2
    left, right = a[..., :half], a[..., half:]
    first = _factorize(left)
    _exchange(right, first)
    right[..., :half, :] = solve_triangular(left[..., :half, :], right[..., :half, :], False, True)
    right[..., half:, :] -= matmul(left[..., half:, :], right[..., :half, :])
    second = _factorize(right[..., half:, :])
    _exchange(left[..., half:, :], second)
    return namespace(a).concatenate((first, second + half), axis=-1)


def _factorize_columns(a):
    xp = namespace(a)
    k = min(a.shape[-2:])
    places = xp.zeros((*a.shape[:-2], k), np.int64)
    number = xp.arange(a.shape[-2])
    for i in range(k):
        sizes = abs(a[..., i:, i])
        # As LAPACK's comparisons have it, a NaN is the largest where it comes first, and never anywhere else.
        sizes = xp.where(xp.isnan(sizes), xp.where(number[i:] == i, xp.inf, -1.0), sizes)
        place = i + sizes.argmax(axis=-1)[..., None]  # (..., 1)
        places[..., i] = place[..., 0]
        order = xp.where(number == i, place, xp.where(number == place, i, number))
        a[...] = xp.take_along_axis(a, order[..., None], axis=-2)
        pivot = a[..., i, None, i]
        a[..., i + 1 :, i] /= xp.where(pivot == 0, 1, pivot)  # below a pivot of 0 all are 0
        a[..., i + 1 :, i + 1 :] -= a[..., i + 1 :, i, None] * a[..., i, None, i + 1 :]
    return places


def _exchange(a, places):
    """The rows of a, in place, as the elimination of other columns has exchanged them."""
    order = row_order(places + 1, a.shape[-2])
    a[...] = namespace(a).take_along_axis(a, order[..., None], axis=-2)
