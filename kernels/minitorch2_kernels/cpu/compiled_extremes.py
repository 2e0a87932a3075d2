"""Largest and smallest numbers on all threads.

Of short rows, and down columns, compiled by numba: NumPy sets out anew for each row, which takes longer than a dozen
numbers, and turns columns into rows. Of long rows by NumPy, which has them in vector registers."""

from __future__ import annotations

import math

import numpy as np

from ..reference import extremes as reference
from ..reference.arithmetic import LONG
from .alike import alike
from .compiled_sums import are_worth_a_loop, runs_of
from .jit import Loops
from .pool import share_if, share_loop

loops = Loops("extremes_loops")

SHORT = 32  # numbers of a row
A_ROW = 400  # numbers that NumPy looks at while it sets out for a row
WORTH_WAKING = 1 << 21  # numbers


def _supports(x, axes, keepdims, largest) -> bool:
    return are_worth_a_loop(x, axes) and len(axes) < x.ndim and len(runs_of(axes)) == 1


def _supports_one(x, axis, keepdims, largest) -> bool:
    return axis is not None and _supports(x, (axis % x.ndim,), keepdims, largest)


def _by_numpy(rows) -> bool:
    """Whether what NumPy does with these rows takes longer than it takes to wake another thread of Python's."""
    return rows.size + A_ROW * len(rows) >= WORTH_WAKING


def _parts(x, axes) -> np.ndarray:
    """x as (before, along, after) the axes."""
    shape = x.shape
    return x.reshape(math.prod(shape[: axes[0]]), math.prod(shape[axes[0] : axes[-1] + 1]), -1)


def _shape(x, axes, keepdims) -> list[int]:
    """That of the result."""
    return [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]


def extremes(x, axes, keepdims, largest):
    """long_extremes of dims that follow one another."""
    parts, sign = _parts(x, axes), x.dtype.type(1 if largest else -1)
    (before, along, after), worth = parts.shape, x.size / LONG
    y = np.empty((before, after), x.dtype)
    if after > 1:
        share_loop(worth, loops.of_columns, before * -(-after // loops.PIECE), parts, sign, y)
    elif along < SHORT:
        share_loop(worth, loops.of_rows, before, parts, sign, y, np.empty((0, 0), np.int64))
    else:
        rows, reduce = parts[:, :, 0], np.maximum.reduce if largest else np.minimum.reduce
        share_if(_by_numpy(rows), lambda start, stop: reduce(rows[start:stop], axis=1, out=y[start:stop, 0]), before)
    return y.reshape(_shape(x, axes, keepdims))


def positions(x, axis, keepdims, largest):
    """long_positions."""
    axes = (axis % x.ndim,)
    parts, sign = _parts(x, axes), x.dtype.type(1 if largest else -1)
    (before, along, after), worth = parts.shape, x.size / LONG
    index = np.empty((before, after), np.int64)
    if after > 1:
        best = np.empty((before, after), x.dtype)
        share_loop(worth, loops.of_columns_where, before * -(-after // loops.PIECE), parts, sign, best, index)
    elif along < SHORT:
        share_loop(worth, loops.of_rows, before, parts, sign, np.empty((0, 0), x.dtype), index)
    else:
        rows, find = parts[:, :, 0], np.argmax if largest else np.argmin
        share_if(_by_numpy(rows), lambda start, stop: find(rows[start:stop], axis=1, out=index[start:stop, 0]), before)
    return index.reshape(_shape(x, axes, keepdims))


def _runs(x, axis, largest) -> bool:
    return alike(x)


def running_positions(x, axis, largest):
    """long_running_positions, compiled."""
    parts, index = _parts(x, (axis,)), np.empty(x.shape, np.int64)
    sign = x.dtype.type(1 if largest else -1)
    shares = len(parts) * -(-parts.shape[2] // loops.PIECE)
    share_loop(x.size / LONG, loops.running, shares, parts, sign, index.reshape(parts.shape))
    return index


def register() -> None:
    """Puts these kernels before the others."""
    reference.long_extremes.override(_supports)(extremes)
    reference.long_positions.override(_supports_one)(positions)
    reference.long_running_positions.override(_runs)(running_positions)
