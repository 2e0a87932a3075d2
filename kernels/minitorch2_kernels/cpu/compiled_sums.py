"""Sums and products compiled by numba: on all threads, of runs of rows that float64 adds up.

So they are nearer to the exact ones than the reference, and do not depend on how many threads there are."""

from __future__ import annotations

import math

import numpy as np

from ..reference import sums as reference
from ..reference.arithmetic import LONG
from .alike import alike, of_one_dtype
from .jit import Loops
from .pool import share_loop

loops = Loops("sums_loops")

NARROW = 16  # columns; fewer are summed as fast by NumPy


def _has_channels(x) -> bool:
    return alike(x) and x.ndim > 1 and x.size > 0


def channel_sums(x):
    """channel_sums, compiled."""
    channels = x.shape[1]
    if x.ndim == 2:
        return _sums(x, 1, len(x), channels).reshape(-1).astype(x.dtype, copy=False)
    total = np.zeros(channels)
    share_loop(x.size / LONG, loops.channel_sums, channels, x.reshape(len(x), channels, -1), total)
    return total.astype(x.dtype, copy=False)


def _sums(x, before: int, summed: int, after: int):
    """(before, after), float64: the sums of x, as (before, summed, after), over the one in the middle."""
    if after == 1:
        parts = -(-summed // loops.RUN)
        totals = np.empty((before, parts))
        share_loop(x.size / LONG, loops.row_sums, before * parts, x.reshape(before, summed), totals)
    else:
        parts = -(-summed // loops.ROWS)
        totals = np.empty((before, parts, after))
        pieces = -(-after // loops.PIECE)
        arrays = x.reshape(before, summed, after), totals
        share_loop(x.size / LONG, loops.column_sums, before * parts * pieces, *arrays)
    return totals.reshape(before, after) if parts == 1 else totals.sum(axis=1).reshape(before, after)


def _is_the_last(x, axis, keepdims) -> bool:
    return alike(x) and x.size > 0 and axis == x.ndim - 1


def products(x, axis, keepdims):
    """long_products along the last dim, compiled."""
    rows = x.reshape(-1, x.shape[axis])
    totals = np.empty((len(rows), -(-rows.shape[1] // loops.RUN)))
    share_loop(x.size / LONG, loops.row_products, totals.size, rows, totals)
    return totals.prod(axis=1).astype(x.dtype).reshape(x.shape[:axis] + (1,) * keepdims)


def are_worth_a_loop(x, axes) -> bool:
    """Whether these dims, some of them and in order, are the last ones or have columns enough after them."""
    if not (alike(x) and x.size and axes):
        return False
    return axes[-1] + 1 == x.ndim or math.prod(x.shape[axes[-1] + 1 :]) >= NARROW


def _supports(x, axes, keepdims) -> bool:
    return are_worth_a_loop(x, axes)


def sums(x, axes, keepdims):
    """long_sums, compiled: over dims that follow one another at once, the last of them first."""
    dtype, shape = x.dtype, list(x.shape)
    for first, last in runs_of(axes):
        x = _sums(x, math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:]))
        shape[first:last] = (1,) * (last - first)
    return x.astype(dtype, copy=False).reshape([n for d, n in enumerate(shape) if keepdims or d not in axes])


def runs_of(axes) -> list[tuple[int, int]]:
    """(start, stop) of each run of axes that follow one another, from the last to the first."""
    runs: list[tuple[int, int]] = []
    for axis in reversed(axes):
        if runs and runs[-1][0] == axis + 1:
            runs[-1] = axis, runs[-1][1]
        else:
            runs.append((axis, axis + 1))
    return runs


def _runs(x, axis, backwards) -> bool:
    return of_one_dtype(x) and x.size >= LONG


def running_sums(x, axis, backwards):
    """running_sums, compiled: rows are shared, or what is after the axis."""
    x, y, before = np.ascontiguousarray(x), np.empty(x.shape, x.dtype), math.prod(x.shape[:axis])
    parts = [a.reshape(before, x.shape[axis], -1) for a in (x, y)]
    pieces = -(-parts[0].shape[2] // loops.PIECE)
    share_loop(x.size / LONG, loops.running_sums, before * pieces, *parts, backwards)
    return y


def _multiplies(x, axis) -> bool:
    return _runs(x, axis, False)


def running_products(x, axis):
    """running_products, compiled: rows are shared, or what is after the axis."""
    x, y, before = np.ascontiguousarray(x), np.empty(x.shape, x.dtype), math.prod(x.shape[:axis])
    parts = [a.reshape(before, x.shape[axis], -1) for a in (x, y)]
    pieces = -(-parts[0].shape[2] // loops.PIECE)
    share_loop(x.size / LONG, loops.running_products, before * pieces, *parts)
    return y


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.long_products.override(_is_the_last)(products)
    reference.channel_sums.override(_has_channels)(channel_sums)
    reference.running_sums.override(_runs)(running_sums)
    reference.running_products.override(_multiplies)(running_products)
    reference.long_sums.override(_supports)(sums)
