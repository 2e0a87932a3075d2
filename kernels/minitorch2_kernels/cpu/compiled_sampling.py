"""Bilinear sampling compiled by numba: the places of an image are worked out once for all its channels."""

from __future__ import annotations

import numpy as np

from ..reference import sampling as reference
from ..reference.copying import ascontiguousarray
from .alike import of_one_dtype
from .jit import Loops
from .pool import share_loop

loops = Loops("sampling_loops")

WORTH_SHARING = 1 << 12  # numbers read; below, waking the other threads takes longer
MOST = 1 << 30  # elements of a plane, which are numbered in int32
_PADDING = ("zeros", "border", "reflection")


def _supports(x, grid, *settings) -> bool:
    return type(x) is np.ndarray and of_one_dtype(x, grid) and x.shape[2] * x.shape[3] < MOST


def _supports_grad(g, x, grid, *settings) -> bool:
    return type(g) is np.ndarray and of_one_dtype(g, x) and _supports(x, grid)


def _flat(grid):
    """grid (N, OH, OW, 2) as (N, P, 2)."""
    n, oh, ow, _ = grid.shape
    return ascontiguousarray(grid).reshape(n, oh * ow, 2)


def grid_sample(x, grid, padding_mode, align_corners):
    """grid_sample, compiled; every thread takes some of the images."""
    n, c = x.shape[:2]
    places, y = _flat(grid), np.empty((n, c, *grid.shape[1:3]), x.dtype)
    arguments = ascontiguousarray(x), places, _PADDING.index(padding_mode), align_corners
    share_loop(y.size / WORTH_SHARING, loops.sample, n, *arguments, y.reshape(n, c, places.shape[1]))
    return y


def grid_sample_grad(g, x, grid, padding_mode, align_corners, need_x, need_grid):
    """grid_sample_grad, compiled; every thread takes some of the images."""
    n, c = x.shape[:2]
    places = _flat(grid)
    dx = np.empty(x.shape if need_x else (0, *x.shape[1:]), x.dtype)
    dgrid = np.empty(places.shape if need_grid else (0, *places.shape[1:]), x.dtype)
    slopes = ascontiguousarray(g).reshape(n, c, places.shape[1])
    arguments = slopes, ascontiguousarray(x), places, _PADDING.index(padding_mode), align_corners, dx, dgrid
    share_loop(g.size / WORTH_SHARING, loops.sample_grad, n, *arguments)
    return dx if need_x else None, dgrid.reshape(grid.shape) if need_grid else None


def register() -> None:
    """Puts these kernels before the reference."""
    reference.grid_sample.override(_supports)(grid_sample)
    reference.grid_sample_grad.override(_supports_grad)(grid_sample_grad)
