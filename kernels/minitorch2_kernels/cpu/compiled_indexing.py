"""Reading and adding at indices compiled by numba: a tenth of the time of NumPy's add.at and of its indexing by several
arrays, in the same order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..reference import indexing as reference
from ..reference.copying import as_planes
from .alike import alike, of_one_dtype
from .jit import Loops
from .pool import share_loop

loops = Loops("indexing_loops")

WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer
LONG = 1 << 12  # numbers; NumPy reads fewer in the time that a loop takes to be called
_READ = "fdlq"  # dtypes of 4 and 8 bytes that numba can move


def _whole(*arrays) -> bool:
    """Whether all are arrays in row-major order, the last of them of indices, with something in them."""
    return (
        all(type(a) is np.ndarray and a.flags.c_contiguous and a.size for a in arrays) and arrays[-1].dtype == np.int64
    )


def _parts(x, axis) -> Any:
    """x as (before, along, after) the axis."""
    return x.reshape(math.prod(x.shape[:axis]), x.shape[axis], -1)


def _is_long(index, size) -> bool:
    return type(index) is np.ndarray and index.dtype.char in "il" and index.size >= LONG and index.flags.c_contiguous


def all_within(index, size):
    """all_within, compiled: one pass for two."""
    found = np.zeros(1, bool)
    share_loop(index.size / WORTH_SHARING, loops.find_outside, index.size, index.reshape(-1), size, found)
    return not found[0]


def _supports(out, index, values) -> bool:
    """Whole rows: of single numbers NumPy's own loop is as good."""
    rows = alike(out) and of_one_dtype(out, values) and out.ndim > 1 and out.size > 0
    return rows and index.dtype == np.int64 and index.flags.c_contiguous


def _rows(values, width) -> Any:
    return np.ascontiguousarray(values).reshape(-1, width)


def index_add(out, index, values):
    """index_add, compiled; every thread takes some of the columns."""
    rows = out.reshape(len(out), -1)
    width = rows.shape[1]
    share_loop(values.size / WORTH_SHARING, loops.index_add, width, rows, index, _rows(values, width))
    return out


def _takes(x, index, axis) -> bool:
    return _whole(x, index) and x.dtype.char in _READ and x.size // x.shape[axis] * index.size >= LONG


def take_slices(x, index, axis):
    """take_slices, compiled."""
    y = np.empty((*x.shape[:axis], index.size, *x.shape[axis + 1 :]), x.dtype)
    if 0 < axis == x.ndim - 1:
        rows, n = y.reshape(-1, index.size), x.shape[axis]
        if index.min() < -n or index.max() >= n:
            raise IndexError("index out of range")
        share_loop(y.size / WORTH_SHARING, loops.take_numbers, len(rows), x.reshape(-1, n), index % n, rows)
        return y
    parts = _parts(y, axis)
    shares = parts.shape[0] * parts.shape[1]
    share_loop(y.size / WORTH_SHARING, loops.take_slices, shares, _parts(x, axis), index, parts)
    return y


def _adds_slices(out, index, values, axis) -> bool:
    return alike(out) and of_one_dtype(out, values) and _whole(out, index) and values.size > 0 and axis > 0


def add_slices(out, index, values, axis):
    """add_slices, compiled."""
    values = np.ascontiguousarray(values)
    parts = _parts(out, axis), index, _parts(values, axis)
    share_loop(values.size / WORTH_SHARING, loops.add_slices, len(parts[0]), *parts)


def _mixes(x, index, weights, axis) -> bool:
    return alike(x, weights) and _whole(x, index) and x.size >= LONG


def mix_slices(x, index, weights, axis):
    """mix_slices, compiled."""
    y = np.empty((*x.shape[:axis], index.shape[1], *x.shape[axis + 1 :]), x.dtype)
    if axis == x.ndim - 1:
        rows = y.reshape(-1, index.shape[1])
        arrays = x.reshape(-1, x.shape[axis]), index, weights, rows
        share_loop(y.size / WORTH_SHARING, loops.mix_numbers, len(rows), *arrays)
        return y
    parts = _parts(y, axis)
    shares = parts.shape[0] * parts.shape[1]
    share_loop(y.size / WORTH_SHARING, loops.mix_slices, shares, _parts(x, axis), index, weights, parts)
    return y


def _unmixes(out, index, weights, values, axis) -> bool:
    return alike(out, weights, values) and _whole(values, index) and axis > 0


def unmix_slices(out, index, weights, values, axis):
    """unmix_slices, compiled."""
    parts = _parts(out, axis), index, weights, _parts(values, axis)
    share_loop(values.size / WORTH_SHARING, loops.unmix_slices, len(parts[0]), *parts)


def _gathers(x, index, axis) -> bool:
    return _whole(x, index) and x.dtype.char in _READ and index.size >= LONG


def gather(x, index, axis):
    """gather, compiled."""
    y = np.empty(index.shape, x.dtype)
    worth = y.size / WORTH_SHARING
    if axis == x.ndim - 1:
        rows = _rows(x, x.shape[axis]), _rows(index, y.shape[axis]), _rows(y, y.shape[axis])
        share_loop(worth, loops.gather_numbers, len(rows[0]), *rows)
        return y
    parts = [_parts(a, axis) for a in (x, index, y)]
    share_loop(worth, loops.gather, parts[1].shape[0] * parts[1].shape[1], *parts)
    return y


def _scatters(out, index, values, axis, *_) -> bool:
    around = out.shape[:axis] + out.shape[axis + 1 :] == index.shape[:axis] + index.shape[axis + 1 :]
    return alike(out) and of_one_dtype(out, values) and values.size > 0 and index.dtype == np.int64 and around


def _scatters_long(out, index, values, axis) -> bool:
    return index.size >= LONG and _scatters(out, index, values, axis)


def scatter(out, index, values, axis):
    """scatter, compiled; shared as scatter_add is."""
    _scatter(loops.scatter, loops.scatter_numbers, out, index, np.broadcast_to(values, index.shape), axis)


def scatter_add(out, index, values, axis):
    """scatter_add, compiled; the threads share what is before the axis, or if nothing is, what is after it."""
    _scatter(loops.scatter_add, loops.scatter_add_numbers, out, index, values, axis)


def scatter_extremes(out, index, values, axis, largest):
    """scatter_extremes, compiled."""
    _scatter(loops.scatter_extremes, None, out, index, values, axis, out.dtype.type(1 if largest else -1))


def _scatter(loop, loop_of_numbers, out, index, values, axis, *numbers) -> None:
    """By loop_of_numbers where nothing comes after the axis and there is one."""
    index, values = np.ascontiguousarray(index), np.ascontiguousarray(values)
    worth = values.size / WORTH_SHARING
    if axis == out.ndim - 1 and loop_of_numbers is not None:
        rows = _rows(out, out.shape[axis]), _rows(index, index.shape[axis]), _rows(values, index.shape[axis])
        share_loop(worth, loop_of_numbers, len(rows[0]), *rows)
        return
    parts = [_parts(a, axis) for a in (out, index, values)]
    by_columns = len(parts[0]) == 1
    shares = parts[0].shape[2] if by_columns else len(parts[0])
    share_loop(worth, loop, shares, *parts, *numbers, by_columns)


def _meshes(x, rows, columns, *hw) -> bool:
    return type(x) is np.ndarray and x.size > 0 and _whole(rows) and _whole(columns)


def _takes_mesh(x, rows, columns) -> bool:
    return x.dtype.char in _READ and _meshes(x, rows, columns)


def _adds_mesh(g, rows, columns, hw) -> bool:
    return g.dtype.char in "fd" and _meshes(g, rows, columns)


def take_mesh(x, rows, columns):
    """take_mesh, compiled: rows and columns at once."""
    y = np.empty((*x.shape[:-2], rows.size, columns.size), x.dtype)
    planes = as_planes(y)
    share_loop(y.size / WORTH_SHARING, loops.take_mesh, len(planes), as_planes(x), rows, columns, planes)
    return y


def add_mesh(g, rows, columns, hw):
    """add_mesh, compiled."""
    x = np.zeros((*g.shape[:-2], *hw), g.dtype)
    planes = as_planes(x)
    share_loop(g.size / WORTH_SHARING, loops.add_mesh, len(planes), as_planes(g), rows, columns, planes)
    return x


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.index_add.override(_supports)(index_add)
    reference.take_slices.override(_takes)(take_slices)
    reference.add_slices.override(_adds_slices)(add_slices)
    reference.mix_slices.override(_mixes)(mix_slices)
    reference.unmix_slices.override(_unmixes)(unmix_slices)
    reference.gather.override(_gathers)(gather)
    reference.all_within.override(_is_long)(all_within)
    reference.scatter.override(_scatters_long)(scatter)
    reference.scatter_add.override(_scatters)(scatter_add)
    reference.scatter_extremes.override(_scatters)(scatter_extremes)
    reference.take_mesh.override(_takes_mesh)(take_mesh)
    reference.add_mesh.override(_adds_mesh)(add_mesh)
