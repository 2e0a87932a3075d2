"""One number for each place: what a loss of class indices looks at."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def pick(x, index):
    """x (N, C, ...) at index (N, ...), int64: y[n, ...] = x[n, index[n, ...], ...]"""
    return namespace(x).take_along_axis(x, index[:, None], axis=1)[:, 0]


@kernel
def put(y, index, shape):
    """y (N, ...) put at index into zeros of `shape` (N, C, ...): pick's transpose."""
    xp = namespace(y)
    x = xp.zeros(shape, y.dtype)
    xp.put_along_axis(x, index[:, None], y[:, None], axis=1)
    return x
