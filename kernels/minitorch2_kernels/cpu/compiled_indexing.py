"""Adding rows at repeated indices, compiled by numba: what an embedding's gradient is. A tenth of the time of NumPy's
add.at for 1,024 rows of 128, in the same order."""

from __future__ import annotations

import numpy as np

from ..reference import indexing as reference
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("indexing_loops")

WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer


def _supports(out, index, values) -> bool:
    """Whole rows: of single numbers NumPy's own loop is as good."""
    return alike(out, values) and out.ndim > 1 and out.size > 0 and index.dtype == np.int64 and index.flags.c_contiguous


def index_add(out, index, values):
    """index_add, compiled; every thread takes some of the columns."""
    rows = out.reshape(len(out), -1)
    width = rows.shape[1]
    share_loop(values.size / WORTH_SHARING, loops.index_add, width, rows, index, values.reshape(len(index), width))
    return out


def register() -> None:
    """Puts the compiled kernel before the others."""
    reference.index_add.override(_supports)(index_add)
