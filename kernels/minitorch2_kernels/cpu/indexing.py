"""Adding at repeated indices, through the one case that NumPy's add.at has a fast loop for: one flat
dimension."""

from __future__ import annotations

import math

import numpy as np

from ..reference.copying import ascontiguousarray
from ..reference.indexing import index_add

_BLOCK = 1 << 15  # elements whose flat indices are made at a time, so that these stay in cache


def _supports(out, index, values):
    return (
        type(out) is np.ndarray
        and out.ndim > 1
        and out.flags.c_contiguous
        and out.dtype == values.dtype
        and out.dtype.kind in "iuf"
    )


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
