"""Pooling planes (..., H, W) into a given number of windows, out = (OH, OW), whose sizes may differ by one."""

from __future__ import annotations

import math

import numpy as np

from ..dispatch import kernel, namespace, on_device, where, zeros_like
from .indexing import index_add


def segments(n, count):
    """`count` windows over n elements: the i-th from floor(i n / count) to ceil((i + 1) n / count)."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def _means(x, count, axis):
    """The mean of every window along axis, 0 or more."""
    before = (slice(None),) * axis
    y = zeros_like(x, shape=(*x.shape[:axis], count, *x.shape[axis + 1 :]), order="C")
    for i, (start, stop) in enumerate(segments(x.shape[axis], count)):
        y[(*before, i)] = x[(*before, slice(start, stop))].sum(axis=axis, dtype=x.dtype) / (stop - start)
    return y


def _shares(g, n, axis):
    """_means's transpose: every one of n elements gets its share of each window it lies in."""
    before = (slice(None),) * axis
    x = zeros_like(g, shape=(*g.shape[:axis], n, *g.shape[axis + 1 :]), order="C")
    for i, (start, stop) in enumerate(segments(n, g.shape[axis])):
        x[(*before, slice(start, stop))] += g[(*before, slice(i, i + 1))] / (stop - start)
    return x


@kernel
def adaptive_avg_pool2d(x, out):
    """The means of windows: (..., OH, OW)."""
    return _means(_means(x, out[0], x.ndim - 2), out[1], x.ndim - 1)


@kernel
def adaptive_avg_pool2d_put(g, hw):
    """dx (..., H, W), hw = (H, W): every window gives each of its elements its share. adaptive_avg_pool2d's
    transpose."""
    return _shares(_shares(g, hw[1], g.ndim - 1), hw[0], g.ndim - 2)


@kernel
def adaptive_max_pool2d(x, out):
    """(y, indices): the largest element of each window, and where it stands in its flattened plane, int64; both
    (..., OH, OW). The first of equals; NaN wins, the last of several."""
    *batch, h, w = x.shape
    planes = x.reshape(math.prod(batch), h, w)
    has_nan = on_device(x) or bool(np.isnan(x).any())
    indices = namespace(x).empty((len(planes), *out), np.int64)
    for i, (top, bottom) in enumerate(segments(h, out[0])):
        for j, (left, right) in enumerate(segments(w, out[1])):
            height, width = bottom - top, right - left
            window = planes[:, top:bottom, left:right].reshape(len(planes), height * width)
            place = window.argmax(axis=1)
            if has_nan:
                nan = np.isnan(window)
                last = height * width - 1 - nan[:, ::-1].argmax(axis=1)
                place = where(nan.any(axis=1), last, place)
            indices[:, i, j] = (top + place // width) * w + left + place % width
    flat = indices.reshape(len(planes), out[0] * out[1])
    y = np.take_along_axis(planes.reshape(len(planes), h * w), flat, axis=1)
    return y.reshape(*batch, *out), indices.reshape(*batch, *out)


@kernel
def plane_put(g, indices, size):
    """dx (N, C, size), zeros but where g (N, C, n) was added, at indices (N, C, n) into each plane; one that comes
    twice gets the sum."""
    n, c, _ = g.shape
    planes = namespace(g).arange(n * c).reshape(n, c, 1) * size
    dx = zeros_like(g, shape=(n * c * size,))
    return index_add(dx, (indices + planes).reshape(-1), g.reshape(-1)).reshape(n, c, size)
