"""Convolution with 1x1 windows on the CPU: a matrix product of the channels, and no im2col.

(O, C) times (C, H*W) for every image. Where a map is small, BLAS would get a thousand rows and nine columns at a time:
then several images are laid side by side first, (C, images*H*W), which copies little and multiplies once.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.copying import ascontiguousarray
from .conv import share_sum, share_work, workspace
from .matmul import matmul

WIDE = 128  # columns from which multiplying is faster than copying once more
DEEP = 512  # and of the weight's gradient, where every product more is a sum over O*C more
BLOCK_BYTES = 512 * 1024  # of images laid side by side, in a second-level cache of 1 MiB


def plain(x, w, khw, stride, padding, groups) -> bool:
    """Whether this is a convolution that mixes channels pixel by pixel."""
    return (
        type(x) is np.ndarray
        and type(w) is np.ndarray
        and x.dtype == w.dtype
        and x.dtype.char in "fd"
        and groups == 1
        and tuple(khw) == tuple(stride) == (1, 1)
        and tuple(padding) == (0, 0)
        and min(x.shape) > 0
    )


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    return plain(x, w, w.shape[2:], stride, padding, groups)


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    return plain(g, w, w.shape[2:], stride, padding, groups)


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    return plain(x, g, khw, stride, padding, groups)


def _blocks(start, stop, channels, places, dtype, columns):
    """(a, b): as many images side by side as make `columns`, or fill a block."""
    most = max(1, BLOCK_BYTES // (channels * places * dtype.itemsize))
    step = min(most, -(-columns // places))
    for a in range(start, stop, step):
        yield a, min(stop, a + step)


def _beside(name, images):
    """images (P, C, places) as (C, P*places): copied, if there are several of them."""
    p, c, places = images.shape
    if p == 1:
        return images[0]
    beside = workspace(name, images.size, images.dtype).reshape(c, p, places)
    np.copyto(beside, images.swapaxes(0, 1))
    return beside.reshape(c, p * places)


def _multiply(matrix, x, shape):
    """matrix (O, C) times every image of x (N, C, H, W); the result has `shape` (N, O, H, W)."""
    n, c, places = len(x), x.shape[1], x.shape[2] * x.shape[3]
    if n == 1:
        return matmul(matrix, ascontiguousarray(x).reshape(c, places)).reshape(shape)
    x, y = ascontiguousarray(x).reshape(n, c, places), np.empty((n, len(matrix), places), x.dtype)

    def part(start, stop):
        for a, b in _blocks(start, stop, max(matrix.shape), places, x.dtype, WIDE):
            if b - a == 1:
                np.matmul(matrix, x[a], out=y[a])
                continue
            product = workspace("product", (b - a) * y[0].size, x.dtype).reshape(len(matrix), (b - a) * places)
            np.matmul(matrix, _beside("columns", x[a:b]), out=product)
            y[a:b] = product.reshape(len(matrix), b - a, places).swapaxes(0, 1)

    share_work(part, n, y.size * c)
    return y.reshape(shape)


@reference.conv2d.override(_supports)
def conv2d(x, w, stride, padding, dilation, groups):
    """1x1: w times the channels."""
    return _multiply(w.reshape(w.shape[:2]), x, (len(x), len(w), *x.shape[2:]))


@reference.conv2d_input_grad.override(_supports_input_grad)
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """1x1: w transposed times the channels of g."""
    return _multiply(w.reshape(w.shape[:2]).T, g, (len(g), w.shape[1], *hw))


@reference.conv2d_weight_grad.override(_supports_weight_grad)
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """1x1: g times x transposed, each thread's images by themselves; the sums are added in the order of the threads."""
    (n, o), c, places = g.shape[:2], x.shape[1], x.shape[2] * x.shape[3]
    x, g = (ascontiguousarray(a).reshape(n, -1, places) for a in (x, g))

    def part(start, stop):
        total = None
        for a, b in _blocks(start, stop, max(o, c), places, x.dtype, DEEP):
            rows, columns = _beside("product", g[a:b]), _beside("columns", x[a:b])
            if total is None:
                total = np.matmul(rows, columns.T)
            else:
                total += np.matmul(rows, columns.T, out=workspace("matrix", o * c, x.dtype).reshape(o, c))
        return total

    return share_sum(part, n, g.size * c).reshape(o, c, 1, 1)
