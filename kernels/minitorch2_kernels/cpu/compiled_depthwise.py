"""Depthwise convolution compiled by numba: one channel's image at a time, which stays in the first-level cache.

The same layout as in depthwise.py, so all loops over pixels are unit-stride and of one kind, whatever window, stride,
padding and dilation are: few functions to compile (loops.py), not a set of them for each window.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from . import depthwise as matrices
from .conv import workspace
from .depthwise import depthwise, floats
from .jit import Loops
from .planes import all_places, layout, phases
from .pool import parts_of, share_loop

loops = Loops("depthwise_loops")

_LINE = 64  # tile.py's width of a line of float32, two of float64: buffers end with a whole one
WORTH_SHARING = 1 << 17  # multiplications


def _shared(work: int, images: int) -> tuple[float, int]:
    """Whether `work` multiplications are worth sharing, in units of the least that are, and in how many parts."""
    return work / WORTH_SHARING, parts_of(images) if work >= WORTH_SHARING else 1


def conv2d(x, w, stride, padding, dilation, groups):
    """Depthwise, compiled: y is the sum of the shifted images."""
    (n, c, height, width), (o, _, kh, kw) = x.shape, w.shape
    oh, ow = (out_size(x.shape[2 + i], (kh, kw)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    place = layout((height, width), (kh, kw), stride, padding, dilation, (oh, ow))
    images = ascontiguousarray(x).reshape(n * c, 1, height, width)
    taps = ascontiguousarray(w).reshape(c, o // c, kh * kw)
    y = np.empty((n * c, o // c, oh, ow), x.dtype)
    worth, parts = _shared(y.size * kh * kw, n * c)
    padded = workspace("padded", parts * (place.size + _LINE), x.dtype)
    total = workspace("total", parts * (-(-oh * place.width // _LINE) * _LINE), x.dtype)
    settings = parts, phases(place), all_places((oh, ow)), place.offsets, place.height, place.width
    share_loop(worth, loops.conv, parts, images, taps, y, padded, total, *settings)
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
    taps = ascontiguousarray(w.reshape(c, o // c, kh * kw)[:, :, order])
    images = ascontiguousarray(g).reshape(n * c, o // c, oh, ow)
    dx = np.zeros((n * c, 1, *hw), g.dtype)
    worth, parts = _shared(g.size * kh * kw, n * c)
    padded = workspace("padded", parts * place.size, g.dtype)
    spread = workspace("spread", parts * (lead + numbers), g.dtype)
    settings = parts, lead, phases(place), all_places((oh, ow)), bounds, lead - within[order], place.height, place.width
    share_loop(worth, loops.input_grad, parts, images, taps, dx, padded, spread, *settings)
    return dx.reshape(n, c, *hw)


def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """Depthwise, compiled: each image's gradient by itself, then their sum."""
    (n, o, oh, ow), (_, c, height, width) = g.shape, x.shape
    place = layout((height, width), tuple(khw), stride, padding, dilation, (oh, ow))
    images = ascontiguousarray(x).reshape(n * c, 1, height, width)
    grads = ascontiguousarray(g).reshape(n * c, o // c, oh, ow)
    each = np.empty((n * c, o // c, khw[0] * khw[1]), g.dtype)
    worth, parts = _shared(g.size * khw[0] * khw[1], n * c)
    padded = workspace("padded", parts * place.size, x.dtype)
    spread = workspace("spread", parts * oh * place.width, x.dtype)
    settings = parts, phases(place), all_places((oh, ow)), place.offsets, place.height, place.width
    share_loop(worth, loops.weight_grad, parts, grads, images, each, padded, spread, *settings)
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
