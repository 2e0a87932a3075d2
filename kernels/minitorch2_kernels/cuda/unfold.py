"""Windows as columns and columns as windows on the GPU: conv.py's columns of the matrix product, for their own sake."""

from __future__ import annotations

import cupy

from ..reference import unfold as reference
from .arguments import MOST, alike, packed
from .conv import Shape, col2im, im2col


def _shape(images: int, channels: int, hw, kernel_size, stride, padding, dilation) -> Shape:
    out = reference.places(hw, kernel_size, stride, padding, dilation)
    return Shape(images, channels, hw, 1, out, kernel_size, stride, padding, dilation, 1)


def _supports(x, kernel_size, stride, padding, dilation) -> bool:
    return alike(x) and x.ndim == 4 and _fits(x.shape, kernel_size, stride, padding, dilation)


def _supports_fold(columns, hw, kernel_size, stride, padding, dilation) -> bool:
    images, rows = columns.shape[:2]
    shape = images, rows // (kernel_size[0] * kernel_size[1]), *hw
    return alike(columns) and _fits(shape, kernel_size, stride, padding, dilation)


def _fits(shape, kernel_size, stride, padding, dilation) -> bool:
    """Whether 32 bits count the images, with their padding, and the places."""
    n, c, h, w = shape
    places = reference.places((h, w), kernel_size, stride, padding, dilation)
    largest = max((h + 2 * padding[0]) * (w + 2 * padding[1]), places[0] * places[1])
    return n * c * h * w > 0 and n * c * largest <= MOST


@reference.unfold.cuda_override(_supports)
def unfold(x, kernel_size, stride, padding, dilation):
    """unfold, all taps of a place a thread."""
    x = packed(x)
    return im2col(x, _shape(len(x), x.shape[1], x.shape[2:], kernel_size, stride, padding, dilation), False)


@reference.fold.cuda_override(_supports_fold)
def fold(columns, hw, kernel_size, stride, padding, dilation):
    """fold, whole elements of the images a thread, summed in the order of the taps."""
    columns = packed(columns)
    images, channels = columns.shape[0], columns.shape[1] // (kernel_size[0] * kernel_size[1])
    x = cupy.empty((images, channels, *hw), columns.dtype)
    col2im(columns, x, _shape(images, channels, hw, kernel_size, stride, padding, dilation), False)
    return x
