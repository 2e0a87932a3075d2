"""Depthwise convolution compiled by numba: one channel's image at a time, which stays in the first-level cache.

The same layout as in depthwise.py, so all loops over pixels are unit-stride and of one kind, whatever window, stride,
padding and dilation are: few functions to compile (loops.py), not a set of them for each window.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from . import depthwise as matrices
from .conv import share_work, workspace
from .depthwise import depthwise, floats
from .jit import Loops
from .planes import layout, phases

loops = Loops("depthwise_loops")

_LINE = 64  # tile.py's width of a line of float32, two of float64: buffers end with a whole one


def conv2d(x, w, stride, padding, dilation, groups):
    """Depthwise, compiled: y is the sum of the shifted images."""
    (n, c, height, width), (o, _, kh, kw) = x.shape, w.shape
    oh, ow = (out_size(x.shape[2 + i], (kh, kw)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    place = layout((height, width), (kh, kw), stride, padding, dilation, (oh, ow))
    images = np.ascontiguousarray(x).reshape(n * c, height, width)
    taps = np.ascontiguousarray(w).reshape(c, o // c, kh * kw)
    y = np.empty((n * c, o // c, oh, ow), x.dtype)
    settings = phases(place), place.offsets, place.height, place.width

    def part(start, stop):
        padded = workspace("padded", place.size + _LINE, x.dtype)
        total = workspace("total", -(-oh * place.width // _LINE) * _LINE, x.dtype).reshape(1, -1)
        loops.conv(images, taps, y, padded, total, *settings, start, stop)

    share_work(part, n * c, y.size * kh * kw)
    return y.reshape(n, o, oh, ow)


def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """Depthwise, compiled: every pixel collects what the taps that looked at it give back."""
    (n, o, oh, ow), (_, _, kh, kw), c = g.shape, w.shape, groups
    place = layout(tuple(hw), (kh, kw), stride, padding, dilation, (oh, ow))
    numbers = place.height * place.width
    phase_of, within = place.phase_of, place.within
    order = np.argsort(phase_of, kind="stable")
    bounds = np.searchsorted(phase_of[order], np.arange(len(place.phases) + 1))
    lead = int(within.max())
    taps = np.ascontiguousarray(w.reshape(c, o // c, kh * kw)[:, :, order])
    images = np.ascontiguousarray(g).reshape(n * c, o // c, oh, ow)
    dx = np.zeros((n * c, *hw), g.dtype)
    settings = lead, phases(place), bounds, lead - within[order], place.height, place.width

    def part(start, stop):
        padded, spread = workspace("padded", place.size, g.dtype), workspace("spread", lead + numbers, g.dtype)
        loops.input_grad(images, taps, dx, padded, spread, *settings, start, stop)

    share_work(part, n * c, g.size * kh * kw)
    return dx.reshape(n, c, *hw)


def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """Depthwise, compiled: each image's gradient by itself, then their sum."""
    (n, o, oh, ow), (_, c, height, width) = g.shape, x.shape
    place = layout((height, width), tuple(khw), stride, padding, dilation, (oh, ow))
    images = np.ascontiguousarray(x).reshape(n * c, height, width)
    grads = np.ascontiguousarray(g).reshape(n * c, o // c, oh, ow)
    each = np.empty((n * c, o // c, khw[0] * khw[1]), g.dtype)
    settings = phases(place), place.offsets, place.height, place.width

    def part(start, stop):
        padded, spread = workspace("padded", place.size, x.dtype), workspace("spread", oh * place.width, x.dtype)
        loops.weight_grad(grads, images, each, padded, spread, *settings, start, stop)

    share_work(part, n * c, g.size * khw[0] * khw[1])
    if not np.isfinite(each).all():
        # Between the rows of g stood zeros: one that met an infinite pixel gave a NaN that no place knows of.
        return reference.conv2d_weight_grad.reference(g, x, khw, stride, padding, dilation, groups)
    return each.reshape(n, o, *khw).sum(axis=0)[:, None]


def _choose(x_shape, compiled, matrices):
    """The smallest maps go to the matrices of depthwise.py; without numba, those serve for more of them."""
    n, _, h, w = x_shape
    return compiled if h * w > n else matrices


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    return floats(x, w) and depthwise(x.shape, w.shape[:1] * 2, groups)


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    return floats(g, w) and depthwise((len(g), groups * w.shape[1], *hw), g.shape, groups)


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    return floats(g, x) and depthwise(x.shape, g.shape, groups)


def register() -> None:
    """Puts these kernels before the others, those of small maps included: no other may come between them."""

    @reference.conv2d.override(_supports)
    def forward(x, *rest):
        """Depthwise, compiled or by matrices."""
        return _choose(x.shape, conv2d, matrices.conv2d)(x, *rest)

    @reference.conv2d_input_grad.override(_supports_input_grad)
    def input_grad(g, w, hw, *settings):
        """Depthwise, compiled or by matrices."""
        return _choose((len(g), 0, *hw), conv2d_input_grad, matrices.conv2d_input_grad)(g, w, hw, *settings)

    @reference.conv2d_weight_grad.override(_supports_weight_grad)
    def weight_grad(g, x, *rest):
        """Depthwise, compiled or by matrices."""
        return _choose(x.shape, conv2d_weight_grad, matrices.conv2d_weight_grad)(g, x, *rest)
