"""In which order numbers stand. NaN is the largest."""

from __future__ import annotations

import numpy as np

from ..dispatch import asarray, kernel


@kernel
def order(x, axis, descending):
    """The indices that sort x along `axis`, int64, of x's shape; equal elements keep their order, descending too."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    # backwards twice: largest first, yet equals in their own order
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


@kernel
def first_few(x, k, axis, largest):
    """The first k of `order`, largest first or smallest first: int64, k along `axis`; x's size there is above 0."""
    n = x.shape[axis]
    before = (slice(None),) * axis
    if n < 128 or k > n // 8 or k == 0:
        return order(x, axis, largest)[(*before, slice(k))].copy()  # a view would keep the order of all
    parted = np.argpartition(x, n - k if largest else k - 1, axis=axis)
    some = parted[(*before, slice(n - k, None) if largest else slice(k))]
    some = asarray(np.sort(some, axis=axis))  # so that equals come in their own order
    chosen = np.take_along_axis(x, some, axis=axis)
    return np.take_along_axis(some, order.reference(chosen, axis, largest), axis=axis)
