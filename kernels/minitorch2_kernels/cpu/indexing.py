"""Adding at repeated indices, through the one case that NumPy's add.at has a fast loop for: one flat
dimension."""

from __future__ import annotations

import math

import numpy as np

from ..reference.copying import ascontiguousarray
from ..reference.indexing import add_slices, index_add

_BLOCK = 1 << 15  # elements whose flat indices are made at a time, so that these stay in cache


def _supports(out, index, values):
    return (
        type(out) is np.ndarray
        and out.ndim > 1
        and out.flags.c_contiguous
        and out.dtype == values.dtype
        and out.dtype.kind in "iuf"
    )


def _all_as_often(out, index, values, axis) -> bool:
    if not (type(out) is np.ndarray and type(values) is np.ndarray and out.dtype == values.dtype and out.shape[axis]):
        return False
    times = len(index) // out.shape[axis]
    return times > 1 and bool((index == np.arange(len(index)) // times).all())


@add_slices.override(_all_as_often)
def _add_all_as_often(out, index, values, axis):
    """Each slice gets as many that lie side by side, as where an image was enlarged to twice its size."""
    times = len(index) // out.shape[axis]
    for i in range(times):
        out += values[(*(slice(None),) * axis, slice(i, None, times))]


@index_add.override(_supports)
def _index_add_flat(out, index, values):
    width = math.prod(out.shape[1:])
    flat = out.reshape(-1)
    values = ascontiguousarray(values).reshape(len(index), width)
    columns = np.arange(width)
    rows_at_a_time = max(1, _BLOCK // max(width, 1))
    for start in range(0, len(index), rows_at_a_time):
        stop = start + rows_at_a_time
        elements = index[start:stop, None] * width + columns
        np.add.at(flat, elements.reshape(-1), values[start:stop].reshape(-1))
    return out
