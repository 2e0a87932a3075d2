"""Convolution with a window as large as the image, on the CPU: a linear layer.

Such a layer ends many a discriminator, turned round it begins a generator, and it is what squeezes and excites. Taken
as a convolution, of one place, it spent twenty times as long on its layout.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.copying import ascontiguousarray
from ..reference.matmul import linear, matmul


def _whole(a, b, hw, khw, padding, groups) -> bool:
    return (
        type(a) is np.ndarray
        and type(b) is np.ndarray
        and a.dtype == b.dtype
        and tuple(hw) == tuple(khw)
        and tuple(padding) == (0, 0)
        and groups == 1
        and a.size > 0
        and b.size > 0
    )


def _reaches_once(khw, dilation) -> bool:
    """Whether the taps are the pixels, one by one."""
    return all(d == 1 or k == 1 for k, d in zip(khw, dilation, strict=True))


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    return _whole(x, w, x.shape[2:], w.shape[2:], padding, groups) and _reaches_once(w.shape[2:], dilation)


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    return _whole(g, w, hw, w.shape[2:], padding, groups) and _reaches_once(hw, dilation) and g.shape[2:] == (1, 1)


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    return _whole(g, x, x.shape[2:], khw, padding, groups) and _reaches_once(khw, dilation) and g.shape[2:] == (1, 1)


def _rows(x):
    """x (N, ...) as (N, D), in row-major order."""
    return ascontiguousarray(x).reshape(len(x), -1)


def conv2d(x, w, *settings):
    """Images times weights."""
    return linear(_rows(x), _rows(w), None).reshape(len(x), len(w), 1, 1)


def conv2d_input_grad(g, w, hw, *settings):
    """g times weights."""
    return matmul(_rows(g), _rows(w)).reshape(len(g), w.shape[1], *hw)


def conv2d_weight_grad(g, x, khw, *settings):
    """g transposed times images."""
    return matmul(_rows(g).T, _rows(x)).reshape(g.shape[1], x.shape[1], *khw)


def register() -> None:
    """Puts these before the other kernels."""
    reference.conv2d.override(_supports)(conv2d)
    reference.conv2d_input_grad.override(_supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(_supports_weight_grad)(conv2d_weight_grad)
