"""Pooling on the GPU: one launch each, without padding anything; sums in the reference's order, bit for bit."""

from __future__ import annotations

import functools

import cupy
import numpy as np

from ..reference import pooling as reference
from ..reference.cast import cast
from .arguments import MOST, alike, packed
from .launch import acc, function, spread
from .windows import group_of, windows


def _fits(*sizes) -> bool:
    return all(size <= MOST for size in sizes)


def _supports(x, kernel_size, stride, padding, dilation, out) -> bool:
    return alike(x) and _fits(x.size, x.shape[0] * x.shape[1] * out[0] * out[1])


def _supports_put(g, winner, hw, *settings) -> bool:
    return alike(g) and g.shape == winner.shape and _fits(g.size, g.shape[0] * g.shape[1] * hw[0] * hw[1])


def _supports_pick(x, winner, *settings) -> bool:
    return alike(x) and _fits(x.size, winner.size)


def _supports_average(x, divisor, kernel_size, stride, padding, out) -> bool:
    return _supports(x, kernel_size, stride, padding, None, out)


def _supports_average_put(g, divisor, hw, *settings) -> bool:
    return alike(g) and _fits(g.size, g.shape[0] * g.shape[1] * hw[0] * hw[1])


def _kernel(name, dtype, winner):
    """A kernel of max pooling for this dtype and this one of the winners."""
    if winner.dtype == np.uint8:
        return function("pooling.cu", name, dtype)
    return function("pooling.cu", name, dtype, WINNER="int")


@reference.max_pool2d.cuda_override(_supports)
def max_pool2d(x, kernel_size, stride, padding, dilation, out):
    """max_pool2d, one element of y a thread."""
    x = packed(x)
    y = cupy.empty((*x.shape[:2], *out), x.dtype)
    winner = cupy.empty(y.shape, np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32)
    s = windows(x.shape[2:], out, kernel_size, stride, padding, dilation)
    spread(_kernel("max_pool2d", x.dtype, winner), y.size, (x, y, winner, np.int64(y.size), s))
    return y, winner


@reference.max_pool2d_put.cuda_override(_supports_put)
def max_pool2d_put(g, winner, hw, kernel_size, stride, padding, dilation):
    """max_pool2d_put, a few elements of dx a thread, which looks at the windows that they lie in."""
    g, winner = packed(g), packed(winner)
    dx = cupy.empty((*g.shape[:2], *hw), g.dtype)
    s = windows(hw, g.shape[2:], kernel_size, stride, padding, dilation)
    groups = dx.size // group_of(hw[1], stride, dilation)
    spread(_kernel("max_pool2d_put", g.dtype, winner), groups, (g, winner, dx, np.int64(groups), s))
    return dx


@reference.max_pool2d_pick.cuda_override(_supports_pick)
def max_pool2d_pick(x, winner, kernel_size, stride, padding, dilation):
    """max_pool2d_pick, one element of y a thread."""
    x, winner = packed(x), packed(winner)
    y = cupy.empty(winner.shape, x.dtype)
    s = windows(x.shape[2:], winner.shape[2:], kernel_size, stride, padding, dilation)
    spread(_kernel("max_pool2d_pick", x.dtype, winner), y.size, (x, winner, y, np.int64(y.size), s))
    return y


@functools.lru_cache(256)
def _uploaded(device: int, data: bytes, dtype: np.dtype):
    """Divisors of the host, on the device: uploaded once, so that a step that is captured later copies nothing."""
    with cupy.cuda.Device(device):
        return cupy.asarray(np.frombuffer(data, dtype))


def _divisors(x, divisor):
    """(an array of them or None, one number): what the kernels take."""
    number = acc(x.dtype)
    if isinstance(divisor, cupy.ndarray):
        return packed(divisor if divisor.dtype == number else cast(divisor, np.dtype(number))), number(1)
    if isinstance(divisor, np.ndarray):
        data = np.ascontiguousarray(cast(divisor, np.dtype(number)))
        return _uploaded(x.data.device_id, data.tobytes(), data.dtype), number(1)
    return None, number(divisor)


@reference.avg_pool2d.cuda_override(_supports_average)
def avg_pool2d(x, divisor, kernel_size, stride, padding, out):
    """avg_pool2d, one element of y a thread."""
    x = packed(x)
    y = cupy.empty((*x.shape[:2], *out), x.dtype)
    s = windows(x.shape[2:], out, kernel_size, stride, padding)
    arguments = (x, *_divisors(x, divisor), y, np.int64(y.size), s)
    spread(function("pooling.cu", "avg_pool2d", x.dtype), y.size, arguments)
    return y


@reference.avg_pool2d_put.cuda_override(_supports_average_put)
def avg_pool2d_put(g, divisor, hw, kernel_size, stride, padding):
    """avg_pool2d_put, a few elements of dx a thread, which looks at the windows that they lie in."""
    g = packed(g)
    dx = cupy.empty((*g.shape[:2], *hw), g.dtype)
    s = windows(hw, g.shape[2:], kernel_size, stride, padding)
    groups = dx.size // group_of(hw[1], stride)
    arguments = (g, *_divisors(g, divisor), dx, np.int64(groups), s)
    spread(function("pooling.cu", "avg_pool2d_put", g.dtype), groups, arguments)
    return dx
