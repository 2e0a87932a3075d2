"""Adding at indices that may repeat."""

from __future__ import annotations

from typing import Any

from ..dispatch import kernel, namespace


@kernel
def index_add(out, index, values):
    """out[index[i]] += values[i] for every i, repeated indices included. Writes to `out` and returns it.

    out: (M, ...), index: (n,) int64 in [0, M), values: (n, ...) in out's dtype.
    """
    namespace(out).add.at(out, index, values)
    return out


def linear_index(indices, shape) -> Any:
    """The row-major number of the element at `indices`, one broadcasting array per dim of `shape`; any
    shape, int64."""
    linear = 0
    for index, size in zip(indices, shape, strict=True):
        linear = linear * size + index
    return linear
