"""Pooling compiled by numba: one pass over the windows, there and back."""

from __future__ import annotations

import numpy as np

from ..reference import pooling as reference
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("pooling_loops")
MANY = 9  # numbers in a window; with no more NumPy's averages, a pass for each, are as fast
WORTH_SHARING = 1 << 13  # numbers; below, waking the other threads takes longer


def _floats(x, *args) -> bool:
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.size > 0


def _fits(x, dilation, out) -> bool:
    """Whether the windows of 2 x 2 lie inside the image (ceil_mode has them reach beyond), without gaps."""
    return dilation == (1, 1) and 2 * out[0] <= x.shape[2] and 2 * out[1] <= x.shape[3] and x.flags.c_contiguous


def _large(x, divisor, kernel_size, *rest) -> bool:
    return alike(x) and x.size > 0 and kernel_size[0] * kernel_size[1] > MANY


def _large_put(g, divisor, hw, kernel_size, *rest) -> bool:
    return _large(g, divisor, kernel_size)


def _average(loop, of, to, divisor, out, *settings):
    """The loop over the planes of two arrays."""
    divisors = np.full(out, divisor, of.dtype)
    planes = [a.reshape(-1, *a.shape[2:]) for a in (of, to)]
    worth = max(of.size, to.size) / WORTH_SHARING
    share_loop(worth, loop, len(planes[0]), planes[0], divisors, planes[1], *settings)
    return to


def avg_pool2d(x, divisor, kernel_size, stride, padding, out):
    """Of large windows, rows first."""
    y = np.empty((*x.shape[:2], *out), x.dtype)
    return _average(loops.avg_pool, x, y, divisor, out, *kernel_size, *stride, *padding)


def avg_pool2d_put(g, divisor, hw, kernel_size, stride, padding):
    """The same, back."""
    dx = np.zeros((*g.shape[:2], *hw), g.dtype)
    return _average(loops.avg_pool_put, g, dx, divisor, g.shape[2:], *kernel_size, *stride, *padding)


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.avg_pool2d.override(_large)(avg_pool2d)
    reference.avg_pool2d_put.override(_large_put)(avg_pool2d_put)

    @reference.max_pool2d.override(_floats)
    def max_pool2d(x, kernel_size, stride, padding, dilation, out):
        """Eight places at once where windows of 2 x 2 lie side by side, else place by place."""
        y = np.empty((*x.shape[:2], *out), x.dtype)
        winner = np.empty(y.shape, np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32)
        lowest, worth = x.dtype.type(-np.inf), x.size / WORTH_SHARING
        if (kernel_size, stride, padding) == ((2, 2), (2, 2), (0, 0)) and _fits(x, dilation, out):
            share_loop(worth, loops.max_pool_2x2, len(x), x, lowest, y, winner)
            return y, winner
        settings = (*kernel_size, *stride, *padding, *dilation)
        share_loop(worth, loops.max_pool, len(x), x, lowest, y, winner, *settings)
        return y, winner

    @reference.max_pool2d_put.override(_floats)
    def max_pool2d_put(g, winner, hw, kernel_size, stride, padding, dilation):
        """Every g goes to its one place, where the reference compares all taps with the winner."""
        dx = np.zeros((*g.shape[:2], *hw), g.dtype)
        taps = np.indices(kernel_size).reshape(2, -1) * np.reshape(dilation, (2, 1)) - np.reshape(padding, (2, 1))
        share_loop(dx.size / WORTH_SHARING, loops.max_pool_put, len(g), g, winner, dx, *taps, *stride)
        return dx
