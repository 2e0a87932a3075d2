"""Reading at indices along one axis, and adding there, where indices may repeat."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from ..dispatch import kernel, namespace, zeros_like


@kernel
def all_within(index, size):
    """Whether all elements lie in [0, size). index: any shape, of integers."""
    return not index.size or bool(index.min() >= 0 and index.max() < size)


@kernel
def index_add(out, index, values):
    """out[index[i]] += values[i] for every i, repeated indices included. Writes to `out` and returns it.

    out: (M, ...), index: (n,) int64 in [0, M), values: (n, ...) in out's dtype.
    """
    xp = namespace(out)
    if xp is not np and out.dtype.kind in "biu" and out.dtype.itemsize < 4:  # which a GPU's atomics do not know
        wide = out.astype(np.int64)
        xp.add.at(wide, index, values.astype(np.int64))
        out[...] = wide.astype(out.dtype)
    else:
        xp.add.at(out, index, values)
    return out


def occurrences(index, n):
    """How often each of 0 to n - 1 stands in index (m,), where nothing else does: (n,) int64. CuPy's bincount would
    wait for the GPU."""
    xp = namespace(index)
    if xp is np:
        return np.bincount(index, minlength=n)
    return index_add(xp.zeros(n, np.int64), index, xp.ones(index.shape, np.int64))


@kernel
def take_slices(x, index, axis):
    """x[..., index, ...]: its slices along `axis` at index (m,), int64, negative ones from the end. IndexError where
    one is out of range (on the CPU)."""
    return x.take(index, axis=axis)


@kernel
def add_slices(out, index, values, axis):
    """out[..., index[i], ...] += values[..., i, ...] along `axis`, repeated indices included. Writes to `out`.

    out: (..., M, ...), index: (n,) int64 in [0, M), values: (..., n, ...) in out's dtype."""
    xp = namespace(out)
    target, rows = xp.moveaxis(out, axis, 0), xp.moveaxis(values, axis, 0)
    if target.flags.c_contiguous:
        index_add(target, index, rows)
    else:
        target += index_add(xp.zeros(target.shape, out.dtype), index, rows)


@kernel
def take_mesh(x, rows, columns):
    """x[..., rows, :][..., columns], (..., OH, OW), of x (..., H, W); rows (OH,) and columns (OW,) int64, from 0 on, in
    range."""
    return take_slices(take_slices(x, rows, x.ndim - 2), columns, x.ndim - 1)


@kernel
def add_mesh(g, rows, columns, hw):
    """take_mesh's transpose: zeros (..., H, W), hw = (H, W), with g (..., OH, OW) added where each was read."""
    axis = g.ndim - 2
    across = zeros_like(g, shape=(*g.shape[: axis + 1], hw[1]), order="C")
    add_slices(across, columns, g, axis + 1)
    x = zeros_like(g, shape=(*g.shape[:axis], *hw), order="C")
    add_slices(x, rows, across, axis)
    return x


def _column(weights, x, axis):
    """weights (m,) as they stand along that axis of x."""
    return weights.reshape(-1, *(1,) * (x.ndim - axis - 1))


@kernel
def mix_slices(x, index, weights, axis):
    """The sum over t of x[..., index[t], ...] weights[t] along `axis`; index (T, m) int64, in range; weights (T, m) in
    x's dtype."""
    parts = [take_slices(x, i, axis) * _column(w, x, axis) for i, w in zip(index, weights, strict=True)]
    return functools.reduce(operator.iadd, parts)


@kernel
def unmix_slices(out, index, weights, values, axis):
    """out[..., index[t, j], ...] += weights[t, j] values[..., j, ...] along `axis`, for every t. Writes to `out`."""
    for i, w in zip(index, weights, strict=True):
        add_slices(out, i, values * _column(w, out, axis), axis)


@kernel
def gather(x, index, axis):
    """x[i, index[i, j], k] for axis 1, and so on. x: of index's shape but for `axis`; index: int64, in range."""
    return namespace(x).take_along_axis(x, index, axis=axis)


@kernel
def scatter(out, index, values, axis):
    """out[i, index[i, j], k] = values[i, j, k] for axis 1, and so on; the last stays of what meets. Writes to `out`.

    index: int64, in range, no larger than out but along `axis`; values: of its shape or one number, in out's dtype."""
    out[tuple(open_grid(index, axis))] = values


@kernel
def scatter_add(out, index, values, axis):
    """out[i, index[i, j], k] += values[i, j, k] for axis 1, and so on, repeated indices included. Writes to `out`.

    index: int64, in range, no larger than out but along `axis`; values: of its shape, in out's dtype."""
    xp = namespace(out)
    linear = linear_index(open_grid(index, axis), out.shape).reshape(-1)
    if out.flags.c_contiguous:
        index_add(out.reshape(-1), linear, values.reshape(-1))
    else:
        out += index_add(xp.zeros(out.size, out.dtype), linear, values.reshape(-1)).reshape(out.shape)


@kernel
def scatter_extremes(out, index, values, axis, largest):
    """As scatter_add, but each element becomes the largest, or the smallest, of itself and of what comes to it; NaN is
    both. Writes to `out`."""
    (np.maximum if largest else np.minimum).at(out, tuple(open_grid(index, axis)), values)


def open_grid(index, axis) -> list:
    """One broadcasting array per dim: the index itself along `axis`, positions along the others."""
    arange = namespace(index).arange
    return [
        index if d == axis else arange(n).reshape((-1, *(1,) * (index.ndim - d - 1))) for d, n in enumerate(index.shape)
    ]


def linear_index(indices, shape) -> Any:
    """The row-major number of the element at `indices`, one broadcasting array per dim of `shape`; any
    shape, int64."""
    linear = 0
    for index, size in zip(indices, shape, strict=True):
        linear = linear * size + index
    return linear
