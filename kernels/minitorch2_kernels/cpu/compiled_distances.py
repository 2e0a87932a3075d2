"""Distances by a product of matrices, |a - b|^2 = |a|^2 + |b|^2 - 2 a b, in float64: a fifteenth of the time that all
differences take, and more digits. Of near points, where the sum would lose them, and of few dims, by differences."""

from __future__ import annotations

import math

import numpy as np

from ..reference import distances as reference
from ..reference.copying import ascontiguousarray
from ..reference.matmul import matmul
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("distances_loops")

FEW = 8  # dims; differences of no more take no longer
WORTH_SHARING = 1 << 15  # multiplications


def _supports(x1, x2) -> bool:
    return alike(x1, x2) and x1.shape[:-2] == x2.shape[:-2] and x1.size > 0 and x2.size > 0


def euclidean(x1, x2):
    """euclidean, compiled."""
    (*batch, p, m), r = x1.shape, x2.shape[-2]
    n = math.prod(batch)
    y = np.empty((n, p, r), x1.dtype)
    points, worth = (x1.reshape(n, p, m), x2.reshape(n, r, m)), y.size * m / WORTH_SHARING
    if m <= FEW:
        turned = ascontiguousarray(points[1].swapaxes(1, 2))
        share_loop(worth, loops.euclidean_few, n * p, points[0], turned, y)
    else:
        a, b = (x.astype(np.float64, copy=False) for x in points)
        lengths = [np.einsum("...m,...m->...", x, x) for x in (a, b)]
        # of a single one, the rows are shared
        products = matmul(a[0], b[0].T)[None] if n == 1 else matmul(a, b.swapaxes(1, 2))
        share_loop(worth, loops.euclidean, n * p, *points, *lengths, products, y)
    return y.reshape(*batch, p, r)


def register() -> None:
    """Puts this kernel before the reference."""
    reference.euclidean.override(_supports)(euclidean)
