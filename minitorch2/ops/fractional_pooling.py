"""Fractional max pooling: windows of one size whose distances are drawn, so that any number of them fits.

Source: Graham, "Fractional Max-Pooling" (2014).
"""

from __future__ import annotations

import itertools
import math

import numpy as np

import minitorch2_kernels as K

from ..core.dtypes import float32
from ..core.function import Function, called
from .adaptive_pooling import TakePlane


def window_starts(samples, n, out, kernel):
    """Where the `out` windows of `kernel` elements start along n: int64 (*samples.shape, out). samples: in [0, 1).

    The i-th at floor((i + u) a) - floor(u a), where a = (n - kernel) / (out - 1); the last ends where the n end. As in
    torch in the dtype of samples, half precision rounded after every operation: so the same windows come out.
    """
    low = samples.dtype if samples.itemsize == 2 else None
    wide = float32.numpy if low else samples.dtype

    def rounded(x):
        return K.cast(K.cast(x, low), wide) if low else x

    starts = K.namespace(samples).full((*samples.shape, out), n - kernel, K.int64)
    if out > 1:
        step = rounded(rounded(np.asarray(n - kernel, wide)) / rounded(np.asarray(out - 1, wide))).item()
        u = K.cast(samples, wide)[..., None]
        places = rounded(rounded(rounded(K.namespace(samples).arange(out - 1).astype(wide)) + u) * wide.type(step))
        starts[..., :-1] = places.astype(K.int64) - rounded(u * wide.type(step)).astype(K.int64)
    return starts


def fractional_max_indices(x, starts, kernel):
    """Where in its flattened plane or volume the largest element of each window stands: int64 (N, C, *OUT).

    starts: where the windows start along each of the last dims of x, int64 (N, C, OUT) each. Of equals the first; NaN
    wins, the last of them.
    """
    n, c, *size = x.shape
    dims, xp = len(size), K.namespace(x)
    out = [s.shape[2] for s in starts]
    strides = [math.prod(size[d + 1 :]) for d in range(dims)]
    corner = xp.zeros((n, c, *out), K.int64)
    for d, (start, stride) in enumerate(zip(starts, strides, strict=True)):
        corner += start.reshape(n, c, *(out[d] if d == e else 1 for e in range(dims))) * stride
    corner = corner.reshape(n, c, math.prod(out))
    planes = x.reshape(n, c, math.prod(size))
    best, where = xp.full(corner.shape, -math.inf, x.dtype), corner
    for offsets in itertools.product(*map(range, kernel)):
        at = corner + sum(o * stride for o, stride in zip(offsets, strides, strict=True))
        value = K.take_along_axis(planes, at, axis=2)
        better = (value > best) | K.isnan(value)
        best, where = K.where(better, value, best), K.where(better, at, where)
    return where.reshape(n, c, *out)


def fractional_max(x, kernel, out, samples):
    """The largest element of each window of x (N, C, d1, ...), and where it stands: (N, C, *out) both.

    samples (N or more, C, dims): numbers in [0, 1). torch takes them in the dims' order for volumes, for images in the
    other.
    """
    n, dims = x._data.shape[0], len(kernel)
    order = range(dims) if dims == 3 else reversed(range(dims))
    starts = [
        window_starts(samples._data[:n, :, i], x._data.shape[2 + d], out[d], kernel[d]) for d, i in enumerate(order)
    ]
    wide = K.cast(x._data, float32.numpy) if x._data.itemsize == 2 else x._data
    indices = fractional_max_indices(wide, starts, kernel)
    return called(f"FractionalMaxPool{dims}DBackward0", TakePlane.apply(x, indices)), Function.as_tensor(indices)
