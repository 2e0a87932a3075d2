"""Convolution on the GPU.

Three ways, by what there is to do:

- direct kernels, one launch and no memory beside: depthwise convolutions (one channel in and one out for each group;
  depthwise.py is asked before this), and small ones, where launches cost more than arithmetic (a step of LeNet);
- windows of 1x1 with stride 1 are a matrix product of the channels as they lie;
- all others are matrix products of columns (im2col), made for as many images at a time as fit in WORKSPACE bytes: one
  product for each image, or for small maps and for groups one for all, their columns beside each other.

Nothing is added with atomics: results repeat bit for bit.
"""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import conv as reference
from .arguments import MOST, alike, int32s, packed
from .gemm import layer_product
from .launch import THREADS, function, launch, spread
from .windows import divisor, group_of, windows

WORKSPACE = 32 << 20  # bytes of columns at a time (of one image where that has more): a second-level cache holds them
WIDE = 128  # places of a map from which an image's product fills the GPU's tiles
SMALL = 1 << 23  # multiplications up to which one direct kernel may beat columns and a product,
DEEP = 512  # if a thread has no more of them than this, one after the other,
FILTERS = 4096  # and the weight's gradient no more elements, each of them a block's


def supports(x, w, stride, padding, dilation, groups) -> bool:
    return alike(x, w) and _fits(x, w, len(w), groups, padding)


def supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    return alike(g, w) and _fits(g, w, w.shape[1] * groups, groups, padding, hw)


def supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    filters = x.shape[1] // groups * g.shape[1] * khw[0] * khw[1]  # the result, which has no images
    return alike(g, x) and 0 < filters <= MOST and _fits(g, x, max(g.shape[1], x.shape[1]), groups, padding)


def _fits(a, b, channels, groups, padding, hw=(1, 1)) -> bool:
    """Whether nothing is empty and 32 bits count every array, the results (with padding around) too."""
    if not (a.size and b.size and channels and min(hw) > 0):
        return False
    rows, columns = (max(a.shape[2 + i], b.shape[2 + i], hw[i]) + 2 * padding[i] for i in (0, 1))
    return max(len(a) * max(channels, a.shape[1]) * rows * columns, b.size) <= MOST


class Shape:
    """The numbers of a convolution. C, O: channels in and out, CG and OG those of a group; P: places of an image."""

    def __init__(self, n, c, hw, o, out, khw, stride, padding, dilation, groups):
        self.N, self.C, self.O, self.groups = n, c, o, groups
        self.CG, self.OG = c // groups, o // groups
        self.hw, self.out, self.P = hw, out, out[0] * out[1]
        self.K = self.CG * khw[0] * khw[1]  # rows of a group's columns
        self.windows = windows(hw, out, khw, stride, padding, dilation)
        self.group = group_of(hw[1], stride, dilation)  # columns of an input's gradient that a thread makes
        self.depthwise = self.CG == self.OG == 1
        self.by_image = groups == 1 and self.P >= WIDE
        self.small = n * o * self.P * self.K <= SMALL
        self.plain = tuple(khw) == tuple(stride) == (1, 1) and tuple(padding) == (0, 0) and tuple(hw) == tuple(out)

    def chunks(self, numbers_each: int, itemsize: int):
        """(start, stop) of as many images as have their `numbers_each` fit in the workspace."""
        step = max(1, min(WORKSPACE // (numbers_each * itemsize), MOST // (max(self.C, self.O) * self.P)))
        for start in range(0, self.N, step):
            yield start, min(self.N, start + step)


def im2col(x, shape: Shape, beside: bool):
    """The columns of images x: (images, C*KH*KW, P), or with the images beside each other (C*KH*KW, images*P)."""
    images, rows = len(x), shape.K * shape.groups
    columns = cupy.empty((rows, images * shape.P) if beside else (images, rows, shape.P), x.dtype)
    n = images * shape.C * shape.P
    steps = (shape.P, images * shape.P) if beside else (rows * shape.P, shape.P)
    arguments = (x, columns, np.int64(n), *map(np.int64, steps), divisor(shape.C), shape.windows)
    spread(function("conv.cu", "im2col", x.dtype), n, arguments)
    return columns


def col2im(columns, dx, shape: Shape, beside: bool) -> None:
    """Adds the columns up where they came from: into images dx, which are overwritten."""
    rows = shape.K * shape.groups
    steps = (shape.P, len(dx) * shape.P) if beside else (rows * shape.P, shape.P)
    groups = dx.size // shape.group
    arguments = (columns, dx, np.int64(groups), *map(np.int64, steps), divisor(shape.C), shape.windows)
    spread(function("conv.cu", "col2im", dx.dtype), groups, arguments)


def _beside(y):
    """y (images, O, OH, OW) as (O, images*P): the places of all images beside each other."""
    images, o, oh, ow = y.shape
    if images == 1:
        return y.reshape(o, oh * ow)
    return im2col(y, Shape(images, o, (oh, ow), 1, (oh, ow), (1, 1), (1, 1), (0, 0), (1, 1), 1), True)


@reference.conv2d.cuda_override(supports)
def conv2d(x, w, stride, padding, dilation, groups):
    """conv2d: see above."""
    x, w = packed(x), packed(w)
    khw = w.shape[2:]
    out = tuple(reference.out_size(x.shape[2 + i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    s = Shape(len(x), x.shape[1], x.shape[2:], len(w), out, khw, stride, padding, dilation, groups)
    y = cupy.empty((s.N, s.O, *out), x.dtype)
    if not y.size:
        return y
    if s.depthwise or (s.small and s.K <= DEEP):
        arguments = (x, w, y, np.int64(y.size), np.int32(s.CG), divisor(s.O), divisor(s.OG), s.windows)
        spread(function("conv.cu", "conv2d_direct", x.dtype), y.size, arguments)
        return y
    if s.by_image:
        matrix = w.reshape(s.O, s.K)
        if s.plain:
            layer_product(matrix, x.reshape(s.N, s.C, s.P), out=y.reshape(s.N, s.O, s.P))
            return y
        for a, b in s.chunks(s.K * s.P, x.itemsize):
            layer_product(matrix, im2col(x[a:b], s, False), out=y[a:b].reshape(b - a, s.O, s.P))
        return y
    matrices = w.reshape(groups, s.OG, s.K)
    for a, b in s.chunks((s.K * groups + s.O) * s.P, x.itemsize):
        product = layer_product(matrices, im2col(x[a:b], s, True).reshape(groups, s.K, -1))  # (groups, OG, images*P)
        y[a:b] = packed(product.reshape(s.O, b - a, *out).swapaxes(0, 1))
    return y


@reference.conv2d_input_grad.cuda_override(supports_input_grad)
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """conv2d_input_grad: see above."""
    g, w = packed(g), packed(w)
    s = Shape(len(g), w.shape[1] * groups, hw, len(w), g.shape[2:], w.shape[2:], stride, padding, dilation, groups)
    dx = cupy.empty((s.N, s.C, *hw), g.dtype)
    if s.depthwise or (s.small and s.OG * w.shape[2] * w.shape[3] <= DEEP):
        n = dx.size // s.group
        arguments = (g, w, dx, np.int64(n), np.int32(s.OG), divisor(s.C), divisor(s.CG), s.windows)
        spread(function("conv.cu", "conv2d_input_grad_direct", g.dtype), n, arguments)
        return dx
    if s.by_image:
        matrix, places = w.reshape(s.O, s.K).T, g.reshape(s.N, s.O, s.P)
        if s.plain:
            layer_product(matrix, places, out=dx.reshape(s.N, s.C, s.P))
            return dx
        for a, b in s.chunks(s.K * s.P, g.itemsize):
            col2im(layer_product(matrix, places[a:b]), dx[a:b], s, False)
        return dx
    matrices = w.reshape(groups, s.OG, s.K).swapaxes(1, 2)
    for a, b in s.chunks((s.K * groups + s.O) * s.P, g.itemsize):
        columns = layer_product(matrices, _beside(g[a:b]).reshape(groups, s.OG, -1))  # (groups, K, images*P)
        col2im(columns, dx[a:b], s, True)
    return dx


@reference.conv2d_weight_grad.cuda_override(supports_weight_grad)
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """conv2d_weight_grad: the product sums over the images too, which lie beside each other; see above."""
    g, x = packed(g), packed(x)
    s = Shape(len(g), x.shape[1], x.shape[2:], g.shape[1], g.shape[2:], khw, stride, padding, dilation, groups)
    dw = cupy.empty((s.O, s.CG, *khw), g.dtype)
    if s.depthwise or (s.small and dw.size <= FILTERS):
        threads = min(THREADS, -(-s.N * s.P // 32) * 32)
        arguments = (g, x, dw, *int32s(s.N, s.CG, s.OG, s.groups), s.windows)
        launch(function("conv.cu", "conv2d_weight_grad_direct", g.dtype), dw.size, threads, arguments)
        return dw
    total = dw.reshape(groups, s.OG, s.K)
    for a, b in s.chunks((s.K * groups + s.O) * s.P, g.itemsize):
        columns = _beside(x[a:b]) if s.plain else im2col(x[a:b], s, True)
        columns = columns.reshape(groups, s.K, -1).swapaxes(1, 2)
        layer_product(_beside(g[a:b]).reshape(groups, s.OG, -1), columns, out=total, beta=1.0 if a else 0.0)
    return dw
