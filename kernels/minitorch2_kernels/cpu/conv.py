"""Convolution on the CPU: the batch shared between threads, a few images at a time in a buffer of bounded size.

im2col of a whole batch is a matrix of tens of megabytes that goes out to memory and comes back. Here each thread
unfolds as many images as fit BLOCK_BYTES into one buffer of its own, multiplies, and unfolds the next ones over them.
"""

from __future__ import annotations

import math
import threading

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size, windows
from ..reference.copying import ascontiguousarray
from .pool import share_if

BLOCK_BYTES = 1536 * 1024  # of columns; less would stay in a nearer cache, and pool.py says why that is slower
_SMALL = 5 << 19  # multiplications below which waking threads costs more than it gives


class _Local(threading.local):
    """This thread's buffers, by name and dtype."""

    def __init__(self):
        self.buffers: dict[tuple[str, str], np.ndarray] = {}


_local = _Local()


def workspace(name: str, size: int, dtype) -> np.ndarray:
    """A flat buffer of this thread that is kept for the next call; its pages are mapped once, not every time."""
    key = name, dtype.char
    held = _local.buffers.get(key)
    if held is None or held.size < size:
        held = _local.buffers[key] = np.empty(size, dtype)
    return held[:size]


def _on_cpu(*args) -> bool:
    a, b = args[0], args[1]
    return type(a) is np.ndarray and type(b) is np.ndarray and a.dtype == b.dtype and a.dtype.kind == "f" and a.size > 0


def _blocks(start: int, stop: int, bytes_each: int):
    step = max(1, BLOCK_BYTES // max(1, bytes_each))
    for i in range(start, stop, step):
        yield i, min(stop, i + step)


def share_work(function, n: int, work: int) -> None:
    """share(), where there is enough to do: `work` multiplications."""
    share_if(work >= _SMALL, function, n)


def share_sum(function, n: int, work: int):
    """The sum of function(start, stop) over the parts of range(n), n > 0, added in the order of the threads. The first
    part's array is added to."""
    parts: dict = {}

    def part(start, stop):
        parts[start] = function(start, stop)

    share_work(part, n, work)
    total, *others = (parts[start] for start in sorted(parts))
    for other in others:
        total += other
    return total


def fast_windows(x, kh: int, kw: int, stride, dilation, oh: int, ow: int):
    """reference.windows, without as_strided's 10 us where x can be looked at directly."""
    if not x.flags.c_contiguous:
        return windows(x, kh, kw, stride, dilation, oh, ow)
    (n, c, h, w), (sh, sw), (dh, dw) = x.strides, stride, dilation
    strides = (n, c, h * dh, w * dw, h * sh, w * sw)
    return np.ndarray((*x.shape[:2], kh, kw, oh, ow), x.dtype, x, 0, strides)


def _unfold(x, a, b, kh, kw, stride, dilation, padding, groups, oh, ow):
    """Images a to b of x as columns (b-a, groups, C/groups*KH*KW, OH*OW), in this thread's buffer."""
    c = x.shape[1]
    images = x[a:b]
    plain = kh == kw == 1 and stride == (1, 1) and padding == (0, 0)
    if plain and images.flags.c_contiguous:
        return images.reshape(b - a, groups, c // groups, oh * ow)
    if padding != (0, 0):
        (ph, pw), (h, w) = padding, x.shape[2:]
        padded = workspace("padded", (b - a) * c * (h + 2 * ph) * (w + 2 * pw), x.dtype)
        padded = padded.reshape(b - a, c, h + 2 * ph, w + 2 * pw)
        padded[...] = 0
        padded[:, :, ph : ph + h, pw : pw + w] = images
        images = padded
    columns = workspace("columns", (b - a) * c * kh * kw * oh * ow, x.dtype)
    np.copyto(columns.reshape(b - a, c, kh, kw, oh, ow), fast_windows(images, kh, kw, stride, dilation, oh, ow))
    return columns.reshape(b - a, groups, c // groups * kh * kw, oh * ow)


@reference.conv2d.override(_on_cpu)
def conv2d(x, w, stride, padding, dilation, groups):
    """As the reference, block by block: a third of its time on 64 images of 32x26x26 (no 42 MB matrix)."""
    n, c = x.shape[:2]
    o, cg, kh, kw = w.shape
    oh, ow = (out_size(x.shape[2 + i], (kh, kw)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    y = np.empty((n, o, oh, ow), x.dtype)
    matrix = w.reshape(groups, o // groups, cg * kh * kw)
    places = y.reshape(n, groups, o // groups, oh * ow)

    def part(start, stop):
        for a, b in _blocks(start, stop, c * kh * kw * oh * ow * x.itemsize):
            columns = _unfold(x, a, b, kh, kw, stride, dilation, padding, groups, oh, ow)
            np.matmul(matrix, columns, out=places[a:b])

    share_work(part, n, y.size * cg * kh * kw)
    return y


@reference.conv2d_input_grad.override(_on_cpu)
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """As the reference, block by block: the columns and the images they are folded into stay in cache.

    It is also a convolution of g with w turned round, which copies O columns where folding adds up C. An addition costs
    about two copies: 0.6 of the folding's time for 16 to 16 channels, 1.2 of it for 32 to 64. With a stride it is one
    such convolution for each phase of the image: 0.5 of the time for 144 channels each by itself, 0.4 for 64 to 32.
    """
    n, o, oh, ow = g.shape
    _, cg, kh, kw = w.shape
    (sh, sw), (ph, pw), (dh, dw), c = stride, padding, dilation, groups * cg
    around = around_turned((kh, kw), padding, dilation)
    if o < 2 * c and stride == (1, 1) and min(around) >= 0:
        return reference.conv2d(g, turned(w, groups), stride, around, dilation, groups)
    if o <= c and stride != (1, 1):
        return _phase_by_phase(g, w, hw, stride, padding, dilation, groups)
    matrix = w.reshape(groups, o // groups, cg * kh * kw).swapaxes(1, 2)
    g = ascontiguousarray(g).reshape(n, groups, o // groups, oh * ow)
    dx = np.empty((n, c, *hw), g.dtype)
    height, width = hw[0] + 2 * ph, hw[1] + 2 * pw

    def part(start, stop):
        for a, b in _blocks(start, stop, c * kh * kw * oh * ow * g.itemsize):
            columns = workspace("columns", (b - a) * c * kh * kw * oh * ow, g.dtype)
            np.matmul(matrix, g[a:b], out=columns.reshape(b - a, groups, cg * kh * kw, oh * ow))
            columns = columns.reshape(b - a, c, kh, kw, oh, ow)
            padded = workspace("padded", (b - a) * c * height * width, g.dtype).reshape(b - a, c, height, width)
            images = padded if ph or pw else dx[a:b]
            images[...] = 0
            for k in range(kh):
                for m in range(kw):
                    rows = slice(k * dh, k * dh + sh * (oh - 1) + 1, sh)
                    cols = slice(m * dw, m * dw + sw * (ow - 1) + 1, sw)
                    images[:, :, rows, cols] += columns[:, :, k, m]
            if images is padded:
                dx[a:b] = padded[:, :, ph : ph + hw[0], pw : pw + hw[1]]

    share_work(part, n, g.size * cg * kh * kw)
    return dx


def turned(w, groups):
    """w (O, C/groups, KH, KW) with rows and columns reversed, as the weight (C, O/groups, KH, KW) of the way back."""
    o, cg, kh, kw = w.shape
    back = w.reshape(groups, o // groups, cg, kh, kw)[..., ::-1, ::-1].swapaxes(1, 2)
    return ascontiguousarray(back).reshape(groups * cg, o // groups, kh, kw)


def around_turned(khw, padding, dilation) -> tuple[int, ...]:
    """The padding of g with which a convolution with `turned` weights, without stride, gives the input's gradient."""
    return tuple(dilation[i] * (khw[i] - 1) - padding[i] for i in (0, 1))


def _phase_by_phase(g, w, hw, stride, padding, dilation, groups):
    """The input gradient of a strided convolution as convolutions without stride, one for each phase of the image.

    Pixels that lie a stride apart are seen by the same taps, and what they get is g filtered by these. All together
    that copies as much as one convolution of g with w; folding adds up as much, into every other pixel.
    """
    dx = np.zeros((len(g), w.shape[1] * groups, *hw), g.dtype)  # zero: a stride can be longer than the window
    rows, columns = (
        list(_phases(g.shape[2 + i], w.shape[2 + i], hw[i], stride[i], padding[i], dilation[i])) for i in (0, 1)
    )
    for taps, above, spread, seen, pixels in rows:
        for taps_across, left, spread_across, seen_across, pixels_across in columns:
            phase = turned(w[:, :, taps, taps_across], groups)
            y = reference.conv2d(g, phase, (1, 1), (above, left), (spread, spread_across), groups)
            dx[:, :, pixels, pixels_across] = y[:, :, seen, seen_across]
    return dx


def _phases(places: int, taps: int, n: int, stride: int, padding: int, dilation: int):
    """Along one dim, for each phase that has taps: (its taps, the padding and dilation for them, where in that
    convolution's result its pixels are, which pixels these are)."""
    common = math.gcd(stride, dilation)
    step, spread = stride // common, dilation // common  # from tap to tap, in the window and in the phase
    for first in range(min(step, taps)):
        phase, shift = first * dilation % stride, first * dilation // stride
        count = len(range(first, taps, step))
        # Pixel i * stride + phase - padding is seen by tap number t of the phase from place i - shift - t * spread.
        low = max(shift, -(-(padding - phase) // stride))
        high = min(shift + places + (count - 1) * spread, -(-(n + padding - phase) // stride))
        if low < high:
            start = low * stride + phase - padding
            pixels = slice(start, start + (high - low - 1) * stride + 1, stride)
            yield slice(first, None, step), (count - 1) * spread, spread, slice(low - shift, high - shift), pixels


@reference.conv2d_weight_grad.override(_on_cpu)
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """Each thread sums its own images' products; the sums are added in the order of the threads."""
    n, o, oh, ow = g.shape
    (kh, kw), c = khw, x.shape[1]
    taps = c // groups * kh * kw
    g = ascontiguousarray(g).reshape(n, groups, o // groups, oh * ow)

    def part(start, stop):
        total = np.zeros((groups, o // groups, taps), g.dtype)
        for a, b in _blocks(start, stop, c * kh * kw * oh * ow * g.itemsize):
            columns = _unfold(x, a, b, kh, kw, stride, dilation, padding, groups, oh, ow).swapaxes(2, 3)
            product = workspace("product", (b - a) * total.size, g.dtype).reshape(b - a, *total.shape)
            np.matmul(g[a:b], columns, out=product)
            for one in product:
                total += one
        return total

    return share_sum(part, n, g.size * taps).reshape(o, c // groups, kh, kw)
