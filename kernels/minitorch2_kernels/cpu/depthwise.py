"""Depthwise convolution of small maps on the CPU: for every channel one product with a matrix made from its window.

A channel filtered by itself (groups == C_in) is, in general, one row times the matrix that im2col makes: KH*KW numbers
copied for each one computed. But it is linear: the H*W pixels of an image become its OH*OW places by a matrix that is
the same for all images,

    matrix[pixel, place] = w[tap]  where that tap of the window at that place lies on that pixel, else 0.

Most of it is zeros, yet for the late layers of a network, thousands of channels of 3x3 or 6x6 pixels, multiplying by
them costs a tenth of the copying. Larger maps are left to `conv.py`; where numba is, all are `compiled_dense.py`'s.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from . import conv
from .conv import share_work, workspace

BLOCK_BYTES = 512 * 1024  # of matrices made before they are used, in a second-level cache of 1 MiB
FEW = 4  # outputs of a channel; for more of them, im2col's one copy pays


def floats(a, b) -> bool:
    return type(a) is np.ndarray and type(b) is np.ndarray and a.dtype == b.dtype and a.dtype.char in "fd"


def depthwise(x_shape, y_shape, groups) -> bool:
    """Whether each of several groups is one channel of x, and there is something to compute."""
    return 1 < groups == x_shape[1] and y_shape[1] <= FEW * groups and min(x_shape) > 0


def small(x_shape, taps: int) -> bool:
    """Whether the matrices pay: they are made once for all images, and multiplying goes over all of H*W."""
    n, _, h, w = x_shape
    return h * w <= 16 * taps * n // (n + 8)


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    taps = w.shape[2] * w.shape[3]
    return floats(x, w) and depthwise(x.shape, w.shape[:1] * 2, groups) and small(x.shape, taps)


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    shape = (len(g), groups * w.shape[1], *hw)
    return floats(g, w) and depthwise(shape, g.shape, groups) and small(shape, w.shape[2] * w.shape[3])


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    return floats(g, x) and depthwise(x.shape, g.shape, groups) and small(x.shape, khw[0] * khw[1])


def _diagonals(matrices, khw, stride, padding, dilation):
    """For each tap a view (P, M, rows, columns) of matrices (P, H, W, M, OH, OW): the entries that hold its weight."""
    places = [
        [
            _inside(matrices.shape[1 + i], matrices.shape[4 + i], k * dilation[i] - padding[i], stride[i])
            for k in range(n)
        ]
        for i, n in enumerate(khw)
    ]
    image, row, column, output, place_row, place_column = matrices.strides
    strides = (image, output, row * stride[0] + place_row, column * stride[1] + place_column)
    for k, (top, first_row, rows) in enumerate(places[0]):
        for m, (left, first_column, columns) in enumerate(places[1]):
            if rows and columns:
                corner = matrices[:, top:, left:, :, first_row:, first_column:]
                shape = (matrices.shape[0], matrices.shape[3], rows, columns)
                yield k * khw[1] + m, np.lib.stride_tricks.as_strided(corner, shape, strides)


def _inside(pixels, places, shift, stride):
    """(first pixel, first place, how many) of the places i whose pixel i * stride + shift is inside the image."""
    first = max(0, -(shift // stride))
    last = min(places, (pixels - 1 - shift) // stride + 1)
    return first * stride + shift, first, max(0, last - first)


class _Matrices:
    """The matrices (H*W, M*OH*OW) of some channels at a time, in this thread's buffer."""

    def __init__(self, channels, hw, multiplier, khw, out, settings, dtype):
        self.shape, self.khw, self.settings = (*hw, multiplier, *out), khw, settings
        self.size = hw[0] * hw[1] * multiplier * out[0] * out[1]
        self.step = max(1, min(channels, BLOCK_BYTES // (self.size * dtype.itemsize)))
        self.buffer = workspace("matrices", self.step * self.size, dtype)

    def blocks(self, start, stop):
        """(a, b, matrices (b-a, H*W, M*OH*OW), the views of their diagonals)"""
        h, w, m, oh, ow = self.shape
        for a in range(start, stop, self.step):
            b = min(stop, a + self.step)
            matrices = self.buffer[: (b - a) * self.size].reshape(b - a, h, w, m, oh, ow)
            yield a, b, matrices.reshape(b - a, h * w, m * oh * ow), _diagonals(matrices, self.khw, *self.settings)

    def filled(self, w, start, stop):
        """(a, b, matrices) with the weights w (C, M, KH*KW) in place."""
        self.buffer[...] = 0  # once: every block writes to the same entries
        for a, b, matrices, diagonals in self.blocks(start, stop):
            for tap, entries in diagonals:
                entries[...] = w[a:b, :, tap, None, None]
            yield a, b, matrices


def _by_channel(images, channels):
    """A view (C, N, numbers of each image) of images (N, C * ..., H, W)."""
    return ascontiguousarray(images).reshape(len(images), channels, -1).swapaxes(0, 1)


@reference.conv2d.override(_supports)
def conv2d(x, w, stride, padding, dilation, groups):
    """Depthwise, of small maps: pixels times matrix."""
    (n, c, *hw), (o, _, *khw) = x.shape, w.shape
    out = [out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1)]
    y = np.empty((n, o, *out), x.dtype)
    pixels, places, taps = _by_channel(x, c), _by_channel(y, c), w.reshape(c, o // c, -1)

    def part(start, stop):
        matrices = _Matrices(stop - start, hw, o // c, khw, out, (stride, padding, dilation), x.dtype)
        for a, b, matrix in matrices.filled(taps, start, stop):
            np.matmul(pixels[a:b], matrix, out=places[a:b])

    share_work(part, c, y.size * hw[0] * hw[1])
    # An infinite pixel times a zero of the matrix is a NaN where no window saw that pixel.
    return y if np.isfinite(y).all() else conv.conv2d(x, w, stride, padding, dilation, groups)


@reference.conv2d_input_grad.override(_supports_input_grad)
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """Depthwise, of small maps: places times the matrix transposed."""
    (n, o, *out), (_, _, *khw), c = g.shape, w.shape, groups
    dx = np.empty((n, c, *hw), g.dtype)
    pixels, places, taps = _by_channel(dx, c), _by_channel(g, c), w.reshape(c, o // c, -1)

    def part(start, stop):
        matrices = _Matrices(stop - start, hw, o // c, khw, out, (stride, padding, dilation), g.dtype)
        for a, b, matrix in matrices.filled(taps, start, stop):
            np.matmul(places[a:b], matrix.swapaxes(1, 2), out=pixels[a:b])

    share_work(part, c, g.size * hw[0] * hw[1])
    return dx if np.isfinite(dx).all() else conv.conv2d_input_grad(g, w, hw, stride, padding, dilation, groups)


@reference.conv2d_weight_grad.override(_supports_weight_grad)
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """Depthwise, of small maps: the matrix's gradient, of which each tap adds up its own entries."""
    (_, o, *out), (_, c, *hw) = g.shape, x.shape
    pixels, places = _by_channel(x, c).swapaxes(1, 2), _by_channel(g, c)
    dw = np.zeros((c, o // c, khw[0] * khw[1]), g.dtype)  # zero: a tap may see nothing but padding

    def part(start, stop):
        matrices = _Matrices(stop - start, hw, o // c, khw, out, (stride, padding, dilation), g.dtype)
        for a, b, matrix, diagonals in matrices.blocks(start, stop):
            np.matmul(pixels[a:b], places[a:b], out=matrix)
            for tap, entries in diagonals:
                entries.sum(axis=(2, 3), out=dw[a:b, :, tap])

    share_work(part, c, g.size * hw[0] * hw[1])
    return dw.reshape(o, 1, *khw)
