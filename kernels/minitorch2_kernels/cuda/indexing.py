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
from .launch import function, spread

_ENTRIES = {"float32": "float", "float64": "double", "int32": "int", "int64": "i64"}
# Others are added up as numbers of a type that has atomics, and then rounded, cut to their size or asked whether they
# are 0: once, after all additions.
_WIDER = {
    **dict.fromkeys(("int8", "uint8", "int16", "bool"), np.dtype(np.int32)),
    **dict.fromkeys(("float16", "bfloat16"), np.dtype(np.float32)),
}


def _supports(out, index, values) -> bool:
    return (
        isinstance(index, cupy.ndarray)
        and isinstance(values, cupy.ndarray)
        and values.dtype == out.dtype
        and index.dtype == np.int64
        and (out.dtype.name in _ENTRIES or out.dtype.name in _WIDER)
    )


@reference.index_add.cuda_override(_supports)
def index_add(out, index, values):
    """index_add with atomics, or sorted: see above."""
    if not values.size:
        return out
    dtype = _WIDER.get(out.dtype.name, out.dtype)
    table = out if dtype == out.dtype and out.flags.c_contiguous else out.astype(dtype, order="C")
    _add(table, packed(index), packed(values.astype(dtype, copy=False)))
    if table is not out:
        out[...] = table.astype(out.dtype)
    return out


def _add(out, index, values) -> None:
    entry = _ENTRIES[out.dtype.name]
    numbers = np.int64(values.size), np.int64(values.size // index.size)
    if determinism.required:
        order = cupy.argsort(index, kind="stable")
        kernel = function("indexing.cu", "index_add_sorted", ENTRY=entry)
        arguments = out, index[order], order, values, *numbers, np.int64(index.size)
    else:
        kernel = function("indexing.cu", "index_add", ENTRY=entry)
        arguments = out, index, values, *numbers
    spread(kernel, values.size, arguments)
