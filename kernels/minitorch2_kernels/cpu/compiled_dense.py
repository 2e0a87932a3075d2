"""Convolution compiled by numba, without im2col: every tap of every channel is a shift of a row of numbers.

The layout is planes.py's, for all channels one after the other, so that a convolution of any window, stride, padding
and dilation is one loop:

    y[o, q] = sum over t of  w[o, t] * x[offset[t] + q]          t: a channel and a tap of its window

im2col copies every pixel KH*KW times for a product that then reads the copies; here the pixels are read where they
are, at the rate of BLAS's products. Images of late layers, which have few pixels, lie side by side in one row.
"""

from __future__ import annotations

import functools

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from .conv import share_work, workspace
from .depthwise import floats
from .jit import Loops
from .planes import layout, phases
from .pool import get_num_threads

loops = Loops("dense_loops")

_LONG = 1000  # numbers in a row, from which on its loop pays for being set up
_TILE = 24  # tile.py's width of float32, two of float64: buffers end with a whole one
_NUMBERS = 64 * 1024  # of all channels of the images in a row
_DENSE = 0.4  # the part of a row that is places of the output, below which im2col wastes less


def _worth_it(x_shape, w_shape, out, stride) -> bool:
    """Whether rows are long and full enough. 1x1 windows need no im2col either, and BLAS is at its best there."""
    (kh, kw), (oh, ow) = w_shape[2:], out
    full = oh * ow >= _DENSE * (oh + (kh - 1) // stride[0]) * (ow + (kw - 1) // stride[1])
    return kh * kw > 1 and full and x_shape[0] > 0 and min(out) > 0


def _sizes(hw, khw, stride, padding, dilation):
    return tuple(out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))


def _fours(n: int) -> int:
    return -(-n // 4) * 4


def _rows(matrix):
    """(G, O, T) with zero rows up to a multiple of four."""
    groups, n, taps = matrix.shape
    if n % 4 == 0:
        return np.ascontiguousarray(matrix)
    rows = np.zeros((groups, _fours(n), taps), matrix.dtype)
    rows[:, :n] = matrix
    return rows


class _Plan:
    """Where the numbers of `block` images stand, side by side, and where from there each tap looks."""

    def __init__(self, hw, khw, stride, padding, dilation, out, n: int, channels: int, threads: int):
        place = layout(hw, khw, stride, padding, dilation, out, True)
        count, self.numbers = len(place.phases), place.height * place.width
        # A thread's images, in equal blocks of about _LONG numbers that stay in the second-level cache.
        most = max(1, -(-n // threads))
        fitting = _NUMBERS // (channels * count * self.numbers)
        blocks = -(-most // max(1, min(fitting, _LONG // self.numbers)))
        self.block = -(-most // blocks)
        self.phase_of, self.within = np.divmod(place.offsets, self.numbers)
        self.lead = int(self.within.max())
        self.phases, self.shape = phases(place), (place.height, place.width, self.block)
        self.padded_size = channels * count * self.block * self.numbers + self.lead + _TILE
        rows = np.arange(channels)[:, None] * count + self.phase_of
        self.offsets = (rows * (self.block * self.numbers) + self.within).reshape(-1)

    def padded(self, dtype) -> np.ndarray:
        return workspace("padded", self.padded_size, dtype)

    def rows(self, name: str, count: int, dtype) -> np.ndarray:
        width = -(-self.block * self.numbers // _TILE) * _TILE
        return workspace(name, count * width, dtype).reshape(count, width)


@functools.lru_cache(maxsize=256)
def _plan(*shapes) -> _Plan:
    return _Plan(*shapes)


@functools.lru_cache(maxsize=256)
def _backwards(plan: _Plan, outputs: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """For the input's gradient: the taps of each phase, how far behind a place of g's each one looks, and where a
    phase's begin and end."""
    reach = plan.lead + plan.block * plan.numbers
    taps = [np.flatnonzero(plan.phase_of == number) for number in range(len(plan.phases))]
    rows = np.arange(outputs)[:, None] * reach + plan.lead
    offsets = [(rows - plan.within[each]).reshape(-1) for each in taps]
    return taps, np.concatenate(offsets), np.cumsum([0, *map(len, offsets)])


def supports(x, w, stride, padding, dilation, groups) -> bool:
    out = _sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    return floats(x, w) and _worth_it(x.shape, w.shape, out, stride)


def conv2d(x, w, stride, padding, dilation, groups):
    """Every four outputs add up the same shifted images; the batch is shared, or the outputs where it is one image."""
    (n, _, *hw), (o, cg, *khw) = x.shape, w.shape
    out = _sizes(hw, khw, stride, padding, dilation)
    plan = _plan((*hw,), (*khw,), stride, padding, dilation, out, n, cg, get_num_threads())
    rows = _rows(w.reshape(groups, o // groups, -1))
    images = np.ascontiguousarray(x).reshape(n, groups, cg, *hw)
    y = np.empty((n, groups, o // groups, *out), x.dtype)
    settings = plan.phases, plan.offsets, *plan.shape
    work = y.size * cg * khw[0] * khw[1]

    def part(start, stop, first=0, last=rows.shape[1]):
        padded, totals = plan.padded(x.dtype), plan.rows("totals", rows.shape[1], x.dtype)
        loops.conv(images, rows, y, padded, totals, *settings, start, stop, first, last)

    if n < get_num_threads():
        share_work(lambda first, last: part(0, n, 4 * first, 4 * last), rows.shape[1] // 4, work)
    else:
        share_work(part, n, work)
    return y.reshape(n, o, *out)


def supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    # A weight that is not finite, times the zeros between the rows of g, would be a NaN that no place asked for.
    return floats(g, w) and _worth_it(g.shape, w.shape, g.shape[2:], stride) and bool(np.isfinite(w).all())


def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """Every four channels collect what the taps that looked at them give back, phase by phase."""
    (n, _, *out), (_, cg, kh, kw), og = g.shape, w.shape, w.shape[0] // groups
    plan = _plan((*hw,), (kh, kw), stride, padding, dilation, (*out,), n, cg, get_num_threads())
    taps, offsets, bounds = _backwards(plan, og)
    turned = w.reshape(groups, og, cg, kh * kw).swapaxes(1, 2)  # (G, C/G, O/G, taps)
    weights = _rows(np.concatenate([turned[..., each].reshape(groups, cg, -1) for each in taps], axis=2))
    grads = np.ascontiguousarray(g).reshape(n, groups, og, *out)
    dx = np.zeros((n, groups, cg, *hw), g.dtype)
    settings = plan.phases, offsets, bounds, plan.lead, *plan.shape

    def part(start, stop):
        spread = workspace("spread", og * (plan.lead + plan.block * plan.numbers) + _TILE, g.dtype)
        totals = plan.rows("totals", weights.shape[1], g.dtype)
        loops.input_grad(grads, weights, dx, spread, totals, *settings, start, stop)

    share_work(part, n, g.size * cg * kh * kw)
    return dx.reshape(n, groups * cg, *hw)


def supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    shape = (g.shape[1], x.shape[1] // groups, *khw)
    return floats(g, x) and _worth_it(x.shape, shape, g.shape[2:], stride)


def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """Each thread sums over its own images; the sums are added in the order of the threads."""
    (n, o, *out), (_, c, *hw) = g.shape, x.shape
    cg, og = c // groups, o // groups
    plan = _plan((*hw,), (*khw,), stride, padding, dilation, (*out,), n, cg, get_num_threads())
    fours = _fours(og)
    images = np.ascontiguousarray(x).reshape(n, groups, cg, *hw)
    grads = np.ascontiguousarray(g).reshape(n, groups, og, *out)
    settings = plan.phases, plan.offsets, *plan.shape
    sums: dict[int, np.ndarray] = {}

    def part(start, stop):
        padded, spread = plan.padded(x.dtype), plan.rows("spread", fours, x.dtype)
        total = np.zeros((groups, fours, len(plan.offsets)), x.dtype)
        loops.weight_grad(grads, images, total, padded, spread, *settings, start, stop)
        sums[start] = total

    share_work(part, n, g.size * len(plan.offsets))
    total = sums.pop(0)
    for start in sorted(sums):
        total += sums[start]
    if not np.isfinite(total).all():
        # Between the rows of g stand zeros. One that met an infinite pixel is a NaN too many: the reference decides.
        return reference.conv2d_weight_grad.reference(g, x, khw, stride, padding, dilation, groups)
    return total[:, :og].reshape(o, cg, *khw)


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.conv2d.override(supports)(conv2d)
    reference.conv2d_input_grad.override(supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(supports_weight_grad)(conv2d_weight_grad)
