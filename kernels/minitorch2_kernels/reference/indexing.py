"""Adding at indices that may repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import kernel, namespace


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


def linear_index(indices, shape) -> Any:
    """The row-major number of the element at `indices`, one broadcasting array per dim of `shape`; any
    shape, int64."""
    linear = 0
    for index, size in zip(indices, shape, strict=True):
        linear = linear * size + index
    return linear
