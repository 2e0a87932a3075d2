"""Arrays put one after the other."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def joined(arrays, axis):
    """A list of arrays of one dtype, and of one shape but for `axis`, one after the other along it, in row-major order;
    axis from 0 on."""
    xp = namespace(arrays[0])
    return xp.ascontiguousarray(xp.concatenate(arrays, axis=axis))  # a lone transposed array would stay transposed
