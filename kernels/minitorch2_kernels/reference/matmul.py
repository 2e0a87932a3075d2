"""The matrix product of (batches of) matrices."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def matmul(a, b):
    """a (..., m, k) times b (..., k, n); the batch dims broadcast."""
    return namespace(a).matmul(a, b)
