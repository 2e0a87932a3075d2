"""Sums over all dims but one: what the gradient of a bias is."""

from __future__ import annotations

from ..dispatch import kernel


@kernel
def channel_sums(x):
    """(C,) in x's dtype: the sums of x (N, C, ...) over all dims but the second."""
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=x.dtype)
