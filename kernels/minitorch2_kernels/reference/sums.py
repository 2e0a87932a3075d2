"""Sums over all dims but one: what the gradient of a bias is."""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel
from .cast import cast


@kernel
def channel_sums(x):
    """(C,) in x's dtype: the sums of x (N, C, ...) over all dims but the second."""
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=x.dtype)


def bias_grad(g):
    """channel_sums, of half precision summed in float32 and rounded once."""
    return channel_sums(g) if g.itemsize > 2 else cast(channel_sums(cast(g, np.float32)), g.dtype)
