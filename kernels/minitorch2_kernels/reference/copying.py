"""Elements brought into another order in memory, or to a place in another array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import kernel, namespace
from .arithmetic import LONG


@kernel
def long_copy(out, x):
    """out[...] = x: arrays of any strides, x of a shape and a dtype that out takes. Writes to out."""
    out[...] = x


def copy_to(out, x) -> None:
    """out[...] = x, as long_copy."""
    if out.__class__ is np.ndarray and out.size >= LONG:
        long_copy(out, x)
    else:
        out[...] = x


def copy_rolled(out, x, shifts, axes) -> None:
    """out[...] = x, its elements moved on by `shifts` along `axes`; what falls off one end comes in at the other."""
    if not axes:
        copy_to(out, x)
        return
    (shift, *shifts), (axis, *axes) = shifts, axes
    n, before = x.shape[axis], (slice(None),) * axis
    at = shift % n if n else 0
    for to, of in ((slice(at, None), slice(n - at)), (slice(at), slice(n - at, None)))[: 2 if at else 1]:
        copy_rolled(out[(*before, to)], x[(*before, of)], shifts, axes)


def as_planes(x) -> Any:
    """x (..., H, W) as (P, H, W), in row-major order."""
    return ascontiguousarray(x).reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def ascontiguousarray(x) -> Any:
    """x itself if its elements lie in row-major order without gaps, else a copy where they do; where x lies."""
    if x.__class__ is not np.ndarray:
        return namespace(x).ascontiguousarray(x)
    if x.flags.c_contiguous:
        return x
    y = np.empty(x.shape, x.dtype)
    copy_to(y, x)
    return y
