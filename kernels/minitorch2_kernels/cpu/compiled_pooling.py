"""Pooling compiled by numba: one pass over the windows, there and back."""

from __future__ import annotations

import functools

import numpy as np

from ..reference import adaptive_pooling, pooling
from ..reference.adaptive_pooling import segments
from ..reference.copying import as_planes, ascontiguousarray
from .alike import alike, of_one_dtype
from .jit import Loops
from .pool import share_loop

loops = Loops("pooling_loops")
MANY = 9  # numbers in a window; with no more NumPy's averages, a pass for each, are as fast
WORTH_SHARING = 1 << 13  # numbers; below, waking the other threads takes longer


def _floats(x, *args) -> bool:
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.size > 0


def _fits(hw, dilation, out) -> bool:
    """Whether the windows of 2 x 2 lie inside the image (ceil_mode has them reach beyond), without gaps."""
    return dilation == (1, 1) and 2 * out[0] <= hw[0] and 2 * out[1] <= hw[1]


def _large(x, divisor, kernel_size, *rest) -> bool:
    return alike(x) and x.size > 0 and kernel_size[0] * kernel_size[1] > MANY


def _large_put(g, divisor, hw, kernel_size, *rest) -> bool:
    return _large(g, divisor, kernel_size)


@functools.lru_cache(256)
def _windows(n, out, kernel, stride, padding, dilation):
    """Which of n elements each of `out` windows sees: (out, 3), as pooling_loops.py says."""
    corner = np.arange(out) * stride - padding
    tap = np.maximum(-(corner // dilation), 0)
    stop = np.minimum(-((corner - n) // dilation), kernel)
    return np.stack([corner + tap * dilation, stop - tap, tap], axis=1)


@functools.lru_cache(256)
def _segments(n, count):
    """The same for the windows of adaptive pooling, in which an element has the number that it has in the image."""
    windows = [(start, stop - start, start) for start, stop in segments(n, count)]
    return np.array(windows, np.int64).reshape(count, 3)


def _both(windows, hw, out, *settings):
    """`windows` along rows and along columns."""
    return tuple(windows(n, o, *each) for n, o, *each in zip(hw, out, *settings, strict=True))


def _average(loop, of, to, divisor, windows):
    """The loop over the planes of two arrays."""
    divisors = np.full([len(each) for each in windows], divisor, of.dtype)
    worth = max(of.size, to.size) / WORTH_SHARING
    first, second = as_planes(of), as_planes(to)
    share_loop(worth, loop, len(first), first, divisors, second, *windows)
    return to


def avg_pool2d(x, divisor, kernel_size, stride, padding, out):
    """Of large windows, rows first."""
    windows = _both(_windows, x.shape[2:], out, kernel_size, stride, padding, (1, 1))
    return _average(loops.avg_pool, x, np.empty((*x.shape[:2], *out), x.dtype), divisor, windows)


def avg_pool2d_put(g, divisor, hw, kernel_size, stride, padding):
    """The same, back."""
    windows = _both(_windows, hw, g.shape[2:], kernel_size, stride, padding, (1, 1))
    return _average(loops.avg_pool_put, g, np.zeros((*g.shape[:2], *hw), g.dtype), divisor, windows)


def _sizes(windows):
    """How many elements each window has: (OH, OW)."""
    rows, columns = windows
    return np.multiply.outer(rows[:, 1], columns[:, 1])


def adaptive_avg_pool2d(x, out):
    """adaptive_avg_pool2d, rows first."""
    windows = _both(_segments, x.shape[-2:], out)
    return _average(loops.avg_pool, x, np.empty((*x.shape[:-2], *out), x.dtype), _sizes(windows), windows)


def adaptive_avg_pool2d_put(g, hw):
    """The same, back."""
    windows = _both(_segments, hw, g.shape[-2:])
    return _average(loops.avg_pool_put, g, np.zeros((*g.shape[:-2], *hw), g.dtype), _sizes(windows), windows)


def _largest(loop, x, winner, *settings):
    """The loop over the planes of x and of y, which is returned, and winner (..., OH, OW), which is written to."""
    y = np.empty(winner.shape, x.dtype)
    first, *others = map(as_planes, (x, y, winner))
    share_loop(x.size / WORTH_SHARING, loop, len(first), first, x.dtype.type(-np.inf), *others, *settings)
    return y, winner


def _numbers(x):
    """Of the integers that max_pool counts x's rows with."""
    return np.empty(0, np.int32 if x.itemsize == 4 else np.int64)


def max_pool2d(x, kernel_size, stride, padding, dilation, out):
    """Eight places at once where windows of 2 x 2 lie side by side, else rows first."""
    winner = np.empty((*x.shape[:2], *out), np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32)
    windows = _both(_windows, x.shape[2:], out, kernel_size, stride, padding, dilation)
    if (kernel_size, stride, padding) == ((2, 2), (2, 2), (0, 0)) and _fits(x.shape[2:], dilation, out):
        return _largest(loops.max_pool_2x2, x, winner, *windows)
    return _largest(loops.max_pool, x, winner, *windows, *dilation, kernel_size[1], _numbers(x))


def max_pool2d_put(g, winner, hw, kernel_size, stride, padding, dilation):
    """Every g goes to its one place, where the reference compares all taps with the winner."""
    dx = np.zeros((*g.shape[:2], *hw), g.dtype)
    taps = np.indices(kernel_size).reshape(2, -1) * np.reshape(dilation, (2, 1)) - np.reshape(padding, (2, 1))
    share_loop(dx.size / WORTH_SHARING, loops.max_pool_put, len(g), g, winner, dx, *taps, *stride)
    return dx


def adaptive_max_pool2d(x, out):
    """adaptive_max_pool2d, rows first."""
    indices = np.empty((*x.shape[:-2], *out), np.int64)
    windows = _both(_segments, x.shape[-2:], out)
    return _largest(loops.max_pool, x, indices, *windows, 1, 1, x.shape[-1], _numbers(x))


def _flat(g, indices, size) -> bool:
    return type(g) is np.ndarray and of_one_dtype(g) and type(indices) is np.ndarray and indices.dtype == np.int64


def plane_put(g, indices, size):
    """plane_put, plane by plane."""
    n, c, _ = g.shape
    dx = np.zeros((n, c, size), g.dtype)
    first, *others = (ascontiguousarray(a).reshape(n * c, a.shape[2]) for a in (g, indices, dx))
    share_loop(dx.size / WORTH_SHARING, loops.plane_put, n * c, first, *others)
    return dx


def register() -> None:
    """Puts the compiled kernels before the others."""
    pooling.avg_pool2d.override(_large)(avg_pool2d)
    pooling.avg_pool2d_put.override(_large_put)(avg_pool2d_put)
    pooling.max_pool2d.override(_floats)(max_pool2d)
    pooling.max_pool2d_put.override(_floats)(max_pool2d_put)
    for kernel, compiled in (
        (adaptive_pooling.adaptive_avg_pool2d, adaptive_avg_pool2d),
        (adaptive_pooling.adaptive_avg_pool2d_put, adaptive_avg_pool2d_put),
        (adaptive_pooling.adaptive_max_pool2d, adaptive_max_pool2d),
    ):
        kernel.override(_floats)(compiled)
    adaptive_pooling.plane_put.override(_flat)(plane_put)
