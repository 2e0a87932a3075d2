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
from ..reference.cast import BFLOAT16, cast
from .arguments import packed
from .launch import function, spread

_ENTRIES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
_ENTRIES |= {np.dtype(np.int32): "int", np.dtype(np.int64): "i64"}
# Others are added up as numbers of a type that has atomics, and then rounded, cut to their size or asked whether they
# are 0: once, after all additions.
_WIDER = {
    **dict.fromkeys(map(np.dtype, (np.int8, np.uint8, np.int16, np.bool_)), np.dtype(np.int32)),
    **dict.fromkeys((np.dtype(np.float16), BFLOAT16), np.dtype(np.float32)),
}


def _supports(out, index, values) -> bool:
    return (
        isinstance(index, cupy.ndarray)
        and isinstance(values, cupy.ndarray)
        and values.dtype == out.dtype
        and index.dtype == np.int64
        and (out.dtype in _ENTRIES or out.dtype in _WIDER)
    )


@reference.index_add.cuda_override(_supports)
def index_add(out, index, values):
    """index_add with atomics, or sorted: see above."""
    if not values.size:
        return out
    dtype = _WIDER.get(out.dtype, out.dtype)
    if dtype == out.dtype:
        table = packed(out)
    else:
        table, values = packed(cast(out, dtype)), cast(values, dtype)
    _add(table, packed(index), packed(values))
    if table is not out:
        out[...] = cast(table, out.dtype)
    return out


def _add(out, index, values) -> None:
    entry = _ENTRIES[out.dtype]
    numbers = np.int64(values.size), np.int64(values.size // index.size)
    if determinism.required:
        order = cupy.argsort(index, kind="stable")
        kernel = function("indexing.cu", "index_add_sorted", ENTRY=entry)
        arguments = out, index[order], order, values, *numbers, np.int64(index.size)
    else:
        kernel = function("indexing.cu", "index_add", ENTRY=entry)
        arguments = out, index, values, *numbers
    spread(kernel, values.size, arguments)
