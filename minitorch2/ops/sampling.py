"""Reading an image between its elements: where to read, the neighbours of a place, and their weights."""

from __future__ import annotations

import math
from typing import Any

import minitorch2_kernels as K

from ..core.function import Function
from ..core.layout import contiguous_format
from ..core.quiet import IGNORE, restore, silence
from .embedding import EmbeddingBag
from .joining import stack
from .pad import Pad


class Folded(Function):
    """The array y, which follows x along straight pieces: y = slope * x + a constant on each."""

    torch_name = "GridSampler2DBackward0"

    @staticmethod
    def forward(ctx, x, y, slope):
        ctx.save_constants(slope)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.constants[0], None, None


def fold_back(x, n, padding_mode, align_corners, nan):
    """As the kernel of this name, without NumPy's warnings of infinite places."""
    token = silence(IGNORE)
    try:
        return K.fold_back(x, n, padding_mode, align_corners, nan)
    finally:
        restore(token)


def cubic_weights(t):
    """The weights of the four elements around a place that is t (0 to 1) beyond the second: arrays or tensors like t.

    Cubic convolution with a = -0.75: Keys, "Cubic convolution interpolation for digital image processing" (1981).
    """
    return _far(t + 1), _near(t), _near(1 - t), _far(2 - t)


def _near(d):  # (a + 2) d^3 - (a + 3) d^2 + 1, at distances d up to 1
    return (1.25 * d - 2.25) * d * d + 1


def _far(d):  # a (d^3 - 5 d^2 + 8 d - 4), at distances from 1 to 2
    return ((d - 5) * d + 8) * d * -0.75 + 3


def sample(x, grid, mode, padding_mode, align_corners) -> Any:
    """x (N, C, *SIZE) read at the places grid (N, *OUT, dims), in any mode that nn.functional.grid_sample knows."""
    n, c, *size = x._data.shape
    dims, elements = len(size), n * math.prod(size)
    axes = [  # x is the last of the image's dims, and the first in grid
        (k, _taps(K.unnormalized(grid[..., i], k, align_corners), k, dims, mode, padding_mode, align_corners))
        for k, i in zip(size, reversed(range(dims)), strict=True)
    ]
    x = x.reshape(-1).reshape(n, c, *size)  # its gradient comes back through one row, and so in row-major order
    table = x.permute(0, *range(2, dims + 2), 1).reshape(elements, c)
    table = Pad.apply(table, (0, 0), (1, 0), 0)  # the last row is what stands outside the image
    image = K.namespace(x._data).arange(n).reshape(n, *(1,) * dims)
    y = _mixed(table, axes, image)
    y = y.permute(0, dims + 1, *range(1, dims + 1))
    return y.clone(memory_format=contiguous_format)  # one channel too, which counts as contiguous


def _bilinear(x, grid, padding_mode, align_corners):
    return sample(x, grid, "bilinear", padding_mode, align_corners)


class BilinearSample(Function):
    """x (N, C, H, W) read at the places grid (N, OH, OW, 2)."""

    torch_name = "GridSampler2DBackward0"
    composed = staticmethod(_bilinear)

    @staticmethod
    def forward(ctx, x, grid, padding_mode, align_corners):
        ctx.save_for_backward(x, grid)
        ctx.settings = padding_mode, align_corners
        return K.grid_sample(x, grid, padding_mode, align_corners)

    @staticmethod
    def backward(ctx, g):  # arrays alone: second derivatives are those of `composed`
        return *K.grid_sample_grad(g, *ctx.saved, *ctx.settings, *ctx.needs_input_grad[:2]), None, None


def _mixed(table, axes, image) -> Any:
    """The rows of table (elements + 1, C) at the neighbours along all axes, mixed by their weights: (N, *OUT, C).

    axes: for each its size and its taps (see _taps), the outermost first. image: the number of each image, as index.
    """
    neighbours: list = [(image, image < 0, None)]
    for n, taps in axes:
        neighbours = [
            (row * n + i, outside | (i < 0), weight if known is None else known * weight)
            for row, outside, known in neighbours
            for i, weight in taps
        ]
    rows, c = table._data.shape
    places_of_each = [K.where(outside, rows - 1, row)[..., None] for row, outside, _ in neighbours]
    index = K.joined(places_of_each, places_of_each[0].ndim - 1)  # (N, *OUT, neighbours)
    weights = stack([weight for *_, weight in neighbours], -1)
    places = math.prod(index.shape[:-1])
    bag = K.namespace(index).arange(places).repeat(len(neighbours))
    y = EmbeddingBag.apply(table, weights.reshape(-1), index.reshape(-1), bag, places, "sum", False)
    return y.reshape(*index.shape[:-1], c)


def _taps(x, n, dims, mode, padding_mode, align_corners):
    """The neighbours of the places x (N, *OUT) along one of dims axes: for each its index, int64 like x, -1 outside the
    image, and its weight (N, *OUT)."""
    if mode == "bicubic":  # its neighbours are brought back into the image, not the place itself
        left = K.floor(x._data)
        neighbours = [left + d for d in (-1, 0, 1, 2)]
        if padding_mode != "zeros":
            neighbours = [fold_back(k, n, padding_mode, align_corners, 0)[0] for k in neighbours]
        weights = cubic_weights(x - Function.as_tensor(left))
    else:
        if padding_mode != "zeros":
            nan = 0 if dims == 2 else n - 1  # as torch's two kernels have it
            x = Folded.apply(x, *fold_back(x._data, n, padding_mode, align_corners, nan))
        elif dims == 3:  # torch moves what int32 does not hold to a place outside: no infinity meets the weights
            held = K.abs(x._data) < 2**31
            x = Folded.apply(x, K.where(held, x._data, -100.0).astype(x._data.dtype), held.astype(x._data.dtype))
        if mode == "nearest":
            neighbours = [K.rint(x._data)]
            weights = [Folded.apply(x, K.ones_like(x._data), K.zeros_like(x._data))]
        else:
            left = K.floor(x._data)
            neighbours = [left, left + 1]
            t = x - Function.as_tensor(left)
            weights = [1 - t, t]
    return [(_index(k, n), weight) for k, weight in zip(neighbours, weights, strict=True)]


def _index(k, n):
    """The whole numbers k as int64, -1 where they are not in [0, n): NaN and what int64 cannot hold among them."""
    return K.where((k >= 0) & (k < n), k, -1).astype(K.int64)
