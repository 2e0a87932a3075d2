"""The largest and the smallest numbers along some of the dims, and where they stand. NaN is both."""

from __future__ import annotations

import numpy as np

from ..dispatch import asarray, kernel
from .arithmetic import LONG


@kernel
def long_extremes(x, axes, keepdims, largest):
    """The largest, or the smallest, elements of x over `axes`, in order; keepdims: those dims stay, with size 1."""
    return asarray((x.max if largest else x.min)(axis=axes, keepdims=keepdims))


@kernel
def long_positions(x, axis, keepdims, largest):
    """Where the largest, or the smallest, element along `axis` stands, int64; the first of equals, and of NaNs."""
    return asarray((x.argmax if largest else x.argmin)(axis=axis, keepdims=keepdims), np.int64)


def extremes(x, axes, keepdims, largest):
    """As long_extremes; short arrays do not ask for kernels."""
    return (long_extremes if x.size >= LONG else long_extremes.reference)(x, axes, keepdims, largest)


def positions(x, axis, keepdims, largest):
    """As long_positions, or with None for an axis in the flattened array."""
    whole = axis is None or x.size < LONG
    return (long_positions.reference if whole else long_positions)(x, axis, keepdims, largest)
