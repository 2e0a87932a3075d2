"""Convolutions whose windows lie side by side, as those that make patches of an image: a product of matrices, to which
each pixel goes once. The layouts for windows that overlap deal an image out to as many small ones as there are taps."""

from __future__ import annotations

import math

import numpy as np

from ..reference import conv as reference
from ..reference.copying import copy_to
from .alike import alike_float32
from .compiled_products import NO_BIAS, WORTH_SHARING, apart, beside, product
from .conv import fast_windows
from .gemm import sgemm_address

WIDE = 12  # pixels; patches less wide are laid out in runs that are too short, and dealt out sooner


def _fits(a, b, khw, stride, padding, dilation, groups) -> bool:
    """Whether windows of khw = (KH, KW) follow one another without gaps."""
    return (
        tuple(stride) == tuple(khw)
        and khw[1] >= WIDE
        and tuple(padding) == (0, 0)
        and all(k == 1 or d == 1 for k, d in zip(khw, dilation, strict=True))
        and groups == 1
        and alike_float32(a, b)
        and min(a.size, b.size) > 0
        and sgemm_address() != 0
    )


def _supports(x, w, *settings) -> bool:
    return _fits(x, w, w.shape[2:], *settings) and x.size * len(w) > WORTH_SHARING


def _supports_input_grad(g, w, hw, *settings) -> bool:
    return _fits(g, w, w.shape[2:], *settings) and g.size * w[0].size > WORTH_SHARING


def _supports_weight_grad(g, x, khw, *settings) -> bool:
    return _fits(g, x, khw, *settings) and x.size * g.shape[1] > WORTH_SHARING


def _tiled(x, khw, out) -> np.ndarray:
    """A view (N, OH, OW, C, KH, KW) of the windows of x (N, C, H, W)."""
    (kh, kw), (oh, ow) = khw, out
    return fast_windows(x, kh, kw, khw, (1, 1), oh, ow).transpose(0, 4, 5, 1, 2, 3)


def _patches(x, khw, out) -> np.ndarray:
    """(N*OH*OW, C*KH*KW): a row for each window of x."""
    tiles = _tiled(x, khw, out)
    rows = np.empty(tiles.shape, x.dtype)
    copy_to(rows, tiles)
    return rows.reshape(math.prod(tiles.shape[:3]), -1)


def conv2d(x, w, *settings):
    """Weights times patches."""
    khw, outputs = w.shape[2:], len(w)
    out = tuple(x.shape[2 + i] // khw[i] for i in (0, 1))
    rows = _patches(x, khw, out)
    y = np.empty((outputs, len(rows)), x.dtype)
    product(w.reshape(outputs, -1), False, rows, True, NO_BIAS, y)
    return apart(y, len(x), *out)


def conv2d_input_grad(g, w, hw, *settings):
    """g times weights, patch by patch; pixels behind the last window get nothing."""
    (n, outputs, *out), (_, channels, *khw) = g.shape, w.shape
    rows = np.empty((n, *out, channels, *khw), g.dtype)
    flat = rows.reshape(n * math.prod(out), -1)
    product(beside(g), True, w.reshape(outputs, -1), False, NO_BIAS, flat)
    covered = all(out[i] * khw[i] == hw[i] for i in (0, 1))
    dx = (np.empty if covered else np.zeros)((n, channels, *hw), g.dtype)
    copy_to(_tiled(dx, khw, out), rows)
    return dx


def conv2d_weight_grad(g, x, khw, *settings):
    """g times patches."""
    dw = np.empty((g.shape[1], x.shape[1], *khw), x.dtype)
    product(beside(g), False, _patches(x, khw, g.shape[2:]), False, NO_BIAS, dw.reshape(len(dw), -1))
    return dw


def register() -> None:
    """Puts these kernels before the others."""
    reference.conv2d.override(_supports)(conv2d)
    reference.conv2d_input_grad.override(_supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(_supports_weight_grad)(conv2d_weight_grad)
