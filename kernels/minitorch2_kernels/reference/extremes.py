"""The largest and the smallest numbers along some of the dims, and where they stand. NaN is both."""

from __future__ import annotations

import numpy as np

from ..dispatch import asarray, kernel, namespace, where
from .arithmetic import asked_if_long


@kernel
def long_extremes(x, axes, keepdims, largest):
    """The largest, or the smallest, elements of x over `axes`, in order; keepdims: those dims stay, with size 1."""
    return asarray((x.max if largest else x.min)(axis=axes, keepdims=keepdims))


@kernel
def long_positions(x, axis, keepdims, largest):
    """Where the largest, or the smallest, element along `axis` stands, or with None in the flattened array, int64; the
    first of equals, and of NaNs."""
    return asarray((x.argmax if largest else x.argmin)(axis=axis, keepdims=keepdims), np.int64)


@kernel
def long_running_positions(x, axis, largest):
    """Where the largest, or the smallest, element so far along `axis` stands: int64, like x, which is not empty. The
    last of equals, and from the first NaN on of NaNs."""
    best = (np.maximum if largest else np.minimum).accumulate(x, axis=axis)
    shape = [-1 if d == axis else 1 for d in range(x.ndim)]
    position = namespace(x).arange(x.shape[axis]).reshape(shape)
    reached = (x == best) | (x != x)
    return np.maximum.accumulate(where(reached, position, namespace(x).zeros_like(position)), axis=axis)


extremes, positions = asked_if_long(long_extremes), asked_if_long(long_positions)
running_positions = asked_if_long(long_running_positions)
