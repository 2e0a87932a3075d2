"""Depthwise convolutions on the GPU: square windows of 3, 5 or 7, in one launch; the weight's gradient in two."""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import conv as reference
from . import conv
from .arguments import packed
from .launch import THREADS, acc, function, launch, spread
from .sums import BLOCKS, totals
from .windows import divisor, windows

TAPS = (3, 5, 7)
HEIGHT = 16  # rows of a strip, at most
THREADS_ENOUGH = 1 << 18  # that fill a GPU; below that the strips are cut shorter


def _regular(outputs: int, khw, groups: int, stride, dilation) -> bool:
    return (
        khw[0] == khw[1] and khw[0] in TAPS and stride[0] <= 2 and tuple(dilation) == (1, 1) and outputs % groups == 0
    )


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    if w.shape[1] != 1 or x.shape[1] != groups or not _regular(len(w), w.shape[2:], groups, stride, dilation):
        return False
    return conv.supports(x, w, stride, padding, dilation, groups)


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    if w.shape[1] != 1 or g.shape[1] != groups or not _regular(groups, w.shape[2:], groups, stride, dilation):
        return False
    return tuple(stride) == (1, 1) and conv.supports_input_grad(g, w, hw, stride, padding, dilation, groups)


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    if x.shape[1] != groups or not _regular(g.shape[1], khw, groups, stride, dilation):
        return False
    return conv.supports_weight_grad(g, x, khw, stride, padding, dilation, groups)


def _strips(planes: int, rows: int, columns: int) -> tuple[int, int]:
    """(how many strips a column is cut into, their height)"""
    height = HEIGHT
    while height > 1 and planes * -(-rows // height) * columns < THREADS_ENOUGH:
        height //= 2
    strips = -(-rows // height)
    return strips, -(-rows // strips)


def _convolve(x, w, y, s: np.ndarray, turned: bool) -> None:
    """y = the windows `s` of x, with w or with w turned by half a circle."""
    images, outputs, rows, columns = y.shape
    strips, height = _strips(images * outputs, rows, columns)
    n = images * outputs * strips * columns
    numbers = np.int64(n), divisor(outputs), divisor(outputs // x.shape[1]), divisor(strips)
    arguments = (x, w, y, *numbers, np.int32(height), np.int32(turned), s)
    spread(function("depthwise.cu", "depthwise", x.dtype, TAPS=w.shape[2]), n, arguments)


@reference.conv2d.cuda_override(_supports)
def conv2d(x, w, stride, padding, dilation, groups):
    """conv2d with one channel in for every channel out, a strip of a column a thread."""
    x, w = packed(x), packed(w)
    khw = w.shape[2:]
    out = tuple(reference.out_size(x.shape[2 + i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    y = cupy.empty((len(x), len(w), *out), x.dtype)
    if y.size:
        _convolve(x, w, y, windows(x.shape[2:], out, khw, stride, padding), False)
    return y


@reference.conv2d_input_grad.cuda_override(_supports_input_grad)
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """conv2d_input_grad for one channel in and one out: with stride 1, the convolution of g with the weights turned."""
    g, w = packed(g), packed(w)
    dx = cupy.empty((*g.shape[:2], *hw), g.dtype)
    khw = w.shape[2:]
    around = tuple(khw[i] - 1 - padding[i] for i in (0, 1))
    _convolve(g, w, dx, windows(g.shape[2:], hw, khw, stride, around), True)
    return dx


@reference.conv2d_weight_grad.cuda_override(_supports_weight_grad)
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """conv2d_weight_grad for one channel in: each channel's sums in parts, as many as fill the GPU, then their sum."""
    g, x = packed(g), packed(x)
    images, outputs, rows, columns = g.shape
    strips, height = _strips(images * outputs, rows, columns)
    n = images * strips * columns
    parts = max(1, min(-(-BLOCKS // outputs), n // THREADS))
    partial = cupy.empty((parts, outputs * khw[0] * khw[1]), acc(x.dtype))
    s = windows(x.shape[2:], g.shape[2:], khw, stride, padding)
    numbers = np.int64(n), divisor(outputs), divisor(outputs // groups), divisor(strips)
    kernel = function("depthwise.cu", "depthwise_weight_grad", x.dtype, TAPS=khw[0])
    launch(kernel, parts * outputs, THREADS, (g, x, partial, *numbers, np.int32(height), np.int32(parts), s))
    return totals(partial, x.dtype).reshape(outputs, 1, *khw)
