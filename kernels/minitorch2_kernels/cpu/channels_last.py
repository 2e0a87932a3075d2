"""1x1 convolutions of images that are channels_last: a pixel's channels are a row of a matrix, and no image is moved.

Others are brought into row-major order first, and their results back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import bias as reference_bias
from ..reference import conv, matmul
from ..reference.arithmetic import LONG, plus_into
from .pointwise import plain


def _is_by_pixels(x) -> bool:
    """Whether x (N, C, H, W) is channels_last. A single row of pixels is an image of conv1d, whose results are
    row-major."""
    return (
        type(x) is np.ndarray
        and x.ndim == 4
        and x.size >= LONG
        and x.shape[2] > 1
        and not x.flags.c_contiguous
        and x.transpose(0, 2, 3, 1).flags.c_contiguous
    )


def pixels(x) -> Any:
    """x (N, C, H, W), channels_last, as (N*H*W, C): a view."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images(rows, like) -> Any:
    """Pixels (N*H*W, C) as images (N, C, H, W), of the N, H and W of `like`: a view."""
    n, _, height, width = like.shape
    return rows.reshape(n, height, width, -1).transpose(0, 3, 1, 2)


def _mixes(x, w, stride, padding, dilation, groups) -> bool:
    return _is_by_pixels(x) and plain(x, w, w.shape[2:], stride, padding, groups)


def conv2d(x, w, *settings):
    """A linear layer of the pixels."""
    return _images(matmul.linear(pixels(x), w.reshape(w.shape[:2]), None), x)


def _mixes_back(g, w, hw, stride, padding, dilation, groups) -> bool:
    return _mixes(g, w, stride, padding, dilation, groups)


def conv2d_input_grad(g, w, hw, *settings):
    """dX = G W, of pixels."""
    return _images(matmul.matmul(pixels(g), w.reshape(w.shape[:2])), g)


def _sums_pixels(g, x, khw, stride, padding, dilation, groups) -> bool:
    return _is_by_pixels(g) and _is_by_pixels(x) and plain(g, x, khw, stride, padding, groups)


def conv2d_weight_grad(g, x, *settings):
    """dW = G^T X, of pixels."""
    return matmul.matmul(pixels(g).T, pixels(x)).reshape(g.shape[1], x.shape[1], 1, 1)


def _takes_bias(y, bias) -> bool:
    return _is_by_pixels(y) and y.dtype == bias.dtype and y.dtype.char in "fd"


def add_bias(y, bias):
    """To every pixel."""
    plus_into(pixels(y), bias)
    return y


def register() -> None:
    """Puts these after those that would move the images."""
    conv.conv2d.override(_mixes)(conv2d)
    conv.conv2d_input_grad.override(_mixes_back)(conv2d_input_grad)
    conv.conv2d_weight_grad.override(_sums_pixels)(conv2d_weight_grad)
    reference_bias.add_bias.override(_takes_bias)(add_bias)
