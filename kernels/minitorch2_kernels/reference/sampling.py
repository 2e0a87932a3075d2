"""Images read between their elements, at places that are given.

x: (N, C, H, W), grid: (N, OH, OW, 2) in x's dtype, (x, y) of each place, -1 and 1 being the edges of the image or, with
align_corners, the centres of its outermost elements. padding_mode says what a place outside of them reads: 'zeros',
'border' (the nearest element) or 'reflection' (the image mirrored at its edges).
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace, ones_like, where, zeros_like
from .indexing import index_add


def unnormalized(g, n, align_corners):
    """The places g, from -1 to 1, in elements: 0 is the centre of the first, n - 1 that of the last."""
    return (g + 1) * ((n - 1) / 2) if align_corners else ((g + 1) * n - 1) / 2


def fold_back(x, n, padding_mode, align_corners, nan):
    """(y, slope): places x, any shape, brought back among n elements at 0 ... n - 1, and dy/dx, both like x.

    'border' moves what is outside to the nearest edge, 'reflection' mirrors it at the edges: those of the elements,
    half an element further out, or their centres with align_corners. NaN becomes `nan`, 0 or n - 1.
    """
    slope = ones_like(x)
    if padding_mode == "reflection":
        start, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return zeros_like(x), zeros_like(x)
        from_start = x - start
        distance = np.abs(from_start)
        turns = np.floor(distance / span)
        rest = distance - turns * span
        back = turns % 2 == 1  # every other stretch is run through backwards
        x = where(back, span - rest, rest) + start
        slope = where(back != (from_start < 0), -slope, slope)
    inside = (x > 0) & (x < n - 1)
    low, high = (np.fmax, 0), (np.fmin, n - 1)
    for bound, limit in (low, high) if nan == 0 else (high, low):  # the first of the two replaces NaN
        x = bound(x, limit)
    return x, where(inside, slope, 0 * slope)


def _axis(g, n, padding_mode, align_corners):
    """For the places g along an axis of n elements, all like g: the element before each, int64 from -1 on, n where the
    place is outside; how far beyond it the place is, in elements; and the derivative of this by g."""
    places, slope = unnormalized(g, n, align_corners), ones_like(g)
    if padding_mode != "zeros":
        places, slope = fold_back(places, n, padding_mode, align_corners, 0)
    before = np.floor(places)
    index = where((before >= -1) & (before < n), before, n).astype(np.int64)  # NaN is outside
    return index, places - before, slope * ((n - 1 if align_corners else n) / 2)


def _framed(x):
    """x in a frame of zeros, one element before and two after it: of whatever place, four neighbours are there."""
    n, c, h, w = x.shape
    framed = zeros_like(x, shape=(n, c, h + 3, w + 3), order="C")
    framed[:, :, 1:-2, 1:-2] = x
    return framed


def _neighbours(x, grid, padding_mode, align_corners):
    """Where the first of each place's four neighbours stands in the flattened _framed(x): (N, C, P), P being the places
    OH * OW. How far from it all four stand. And what _axis says beside it, of x and of y: (N, 1, P)."""
    n, c, h, w = x.shape
    flat = grid.reshape(n, 1, grid.shape[1] * grid.shape[2], 2)
    column, tx, dx = _axis(flat[..., 0], w, padding_mode, align_corners)
    row, ty, dy = _axis(flat[..., 1], h, padding_mode, align_corners)
    wide = w + 3
    planes = namespace(grid).arange(n * c).reshape(n, c, 1) * ((h + 3) * wide)
    return planes + (row + 1) * wide + column + 1, (0, 1, wide, wide + 1), (tx, ty), (dx, dy)


def _weights(tx, ty):
    return (1 - tx) * (1 - ty), tx * (1 - ty), (1 - tx) * ty, tx * ty


@kernel
def grid_sample(x, grid, padding_mode, align_corners):
    """x read at the places of grid, by the distances to their four neighbours (bilinear): (N, C, OH, OW)."""
    first, steps, t, _ = _neighbours(x, grid, padding_mode, align_corners)
    values = _framed(x).reshape(-1)
    y = zeros_like(values, shape=first.shape)
    for step, weight in zip(steps, _weights(*t), strict=True):
        y += values[first + step] * weight
    return y.reshape(*x.shape[:2], *grid.shape[1:3])


@kernel
def grid_sample_grad(g, x, grid, padding_mode, align_corners, need_x, need_grid):
    """The gradients (dx, dgrid) of grid_sample, from g (N, C, OH, OW); None for one that is not needed."""
    first, steps, (tx, ty), slopes = _neighbours(x, grid, padding_mode, align_corners)
    g, framed = g.reshape(first.shape), _framed(x)
    dx = dgrid = None
    if need_x:
        dframed = zeros_like(framed)
        for step, weight in zip(steps, _weights(tx, ty), strict=True):
            index_add(dframed.reshape(-1), (first + step).reshape(-1), (g * weight).reshape(-1))
        dx = dframed[:, :, 1:-2, 1:-2].copy()
    if need_grid:
        nw, ne, sw, se = (framed.reshape(-1)[first + step] for step in steps)
        dtx = (g * ((ne - nw) * (1 - ty) + (se - sw) * ty)).sum(1)
        dty = (g * ((sw - nw) * (1 - tx) + (se - ne) * tx)).sum(1)
        each = [dt * slope[:, 0] for dt, slope in zip((dtx, dty), slopes, strict=True)]  # (N, P)
        dgrid = namespace(g).stack(each, axis=-1).reshape(grid.shape)
    return dx, dgrid
