"""Adding at repeated indices on the GPU.

Atomics by default: one launch, but sums whose order, and so whose last bits, may differ from run to run. Where
`determinism.required`, the indices are sorted and every sum is one thread's, in the order of the indices: results
repeat bit for bit; several launches more, and no part of a captured graph (sorting waits for the device).
"""

from __future__ import annotations

import cupy
import numpy as np

from .. import determinism
from ..reference import indexing as reference
from .arguments import packed
from .launch import FULL, function, spread


def _supports(out, index, values) -> bool:
    return (
        isinstance(index, cupy.ndarray)
        and isinstance(values, cupy.ndarray)
        and out.dtype in FULL
        and values.dtype == out.dtype
        and index.dtype == np.int64
        and out.flags.c_contiguous
    )


@reference.index_add.cuda_override(_supports)
def index_add(out, index, values):
    """index_add with atomics, or sorted: see above."""
    index, values = packed(index), packed(values)
    if not values.size:
        return out
    numbers = np.int64(values.size), np.int64(values.size // index.size)
    if determinism.required:
        order = cupy.argsort(index, kind="stable")
        kernel = function("indexing.cu", "index_add_sorted", out.dtype)
        arguments = out, index[order], order, values, *numbers, np.int64(index.size)
    else:
        kernel = function("indexing.cu", "index_add", out.dtype)
        arguments = out, index, values, *numbers
    spread(kernel, values.size, arguments)
    return out
