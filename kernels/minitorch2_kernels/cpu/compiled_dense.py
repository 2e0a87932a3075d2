"""Convolution compiled by numba, without im2col: every tap of every channel is a shift of a row of numbers.

The layout is planes.py's, for all channels one after the other, so that a convolution of any window, stride, padding
and dilation is one loop:

    y[o, q] = sum over t of  w[o, t] * x[offset[t] + q]          t: a channel and a tap of its window

im2col copies every pixel KH*KW times for a product that then reads the copies; here the pixels are read where they
are, at the rate of BLAS's products. Images of late layers, which have few pixels, lie side by side in one row.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from .conv import workspace
from .depthwise import floats
from .jit import Loops
from .planes import layout, phases
from .pool import get_num_threads, parts_of, share_loop

loops = Loops("dense_loops")

_LONG = 1000  # numbers in a row, from which on its loop pays for being set up
_TILE = 24  # tile.py's width of float32, two of float64: buffers end with a whole one
_NUMBERS = 64 * 1024  # of all channels of the images in a row
_WORTH_SHARING = 1 << 18  # multiplications
_DENSE = 0.4  # the part of a row that is places of the output, below which im2col wastes less


def _fours(n: int) -> int:
    return -(-n // 4) * 4


def _share(loop, plan, parts: int, *arguments) -> None:
    share_loop(plan.work / _WORTH_SHARING, loop, parts, *arguments)


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

    def __init__(self, x_shape, w_shape, stride, padding, dilation, groups, threads: int):
        (n, _, *hw), (o, cg, *khw) = x_shape, w_shape
        self.out = tuple(out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
        self.images, self.groups, self.channels, self.outputs = n, groups, cg, o // groups
        self.work = n * o * math.prod(self.out) * cg * math.prod(khw)
        self.worth_it = self.work > 0 and self._worth_it(khw, stride)
        if not self.work:
            return
        place = layout((*hw,), (*khw,), stride, padding, dilation, self.out, True)
        count, self.numbers = len(place.phases), place.height * place.width
        # A thread's images, in equal blocks of about _LONG numbers that stay in the second-level cache.
        self.splits_outputs = n < threads
        most = n if self.splits_outputs else -(-n // threads)
        fitting = _NUMBERS // (cg * count * self.numbers)
        blocks = -(-most // max(1, min(fitting, _LONG // self.numbers)))
        self.block = -(-most // blocks)
        phase_of, within = place.phase_of, place.within
        self.lead = int(within.max())
        self.padded_size = cg * count * self.block * self.numbers + self.lead + _TILE
        self.reach = self.lead + self.block * self.numbers  # of one output's numbers, for the input's gradient
        rows = np.arange(cg)[:, None] * count + phase_of
        self.offsets = (rows * (self.block * self.numbers) + within).reshape(-1)
        where, shape = phases(place), (place.height, place.width, self.block)
        self.settings = where, self.offsets, *shape
        # Backwards: the taps of each phase, how far behind a place of g's each one looks, where a phase's begin and end
        self.taps = [np.flatnonzero(phase_of == number) for number in range(count)]
        behind = np.arange(o // groups)[:, None] * self.reach + self.lead
        back = [(behind - within[each]).reshape(-1) for each in self.taps]
        bounds = np.cumsum([0, *map(len, back)])
        self.back = where, np.concatenate(back), bounds, self.lead, *shape

    def _worth_it(self, khw, stride) -> bool:
        """Whether rows are full enough. 1x1 windows need no im2col either, and BLAS is at its best there."""
        (kh, kw), (oh, ow) = khw, self.out
        full = oh * ow >= _DENSE * (oh + (kh - 1) // stride[0]) * (ow + (kw - 1) // stride[1])
        return kh * kw > 1 and full

    def parts(self, n: int) -> int:
        """In how many parts range(n) is worth cutting."""
        return parts_of(n) if self.work >= _WORTH_SHARING else 1

    def padded(self, parts: int, dtype) -> np.ndarray:
        return workspace("padded", parts * self.padded_size, dtype)

    def rows(self, name: str, parts: int, count: int, dtype) -> np.ndarray:
        return workspace(name, parts * count * (-(-self.block * self.numbers // _TILE) * _TILE), dtype)


@functools.lru_cache(maxsize=256)
def _planned(*shapes) -> _Plan:
    return _Plan(*shapes)


def _plan(x_shape, w_shape, stride, padding, dilation, groups) -> _Plan:
    return _planned(x_shape, w_shape, stride, padding, dilation, groups, get_num_threads())


def supports(x, w, *settings) -> bool:
    return floats(x, w) and _plan(x.shape, w.shape, *settings).worth_it


def conv2d(x, w, *settings):
    """Every four outputs add up the same shifted images; the batch is shared, or the outputs where it is one image."""
    plan = _plan(x.shape, w.shape, *settings)
    rows = _rows(w.reshape(plan.groups, plan.outputs, -1))
    y = np.empty((plan.images, len(w), *plan.out), x.dtype)
    fours, by_rows = rows.shape[1], plan.splits_outputs
    parts = plan.parts(fours // 4 if by_rows else plan.images)
    padded, totals = plan.padded(parts, x.dtype), plan.rows("totals", parts, fours, x.dtype)
    arrays = np.ascontiguousarray(x), rows, y, padded, totals
    _share(loops.conv, plan, parts, *arrays, parts, by_rows, *plan.settings)
    return y


def _plan_back(g, w, hw, stride, padding, dilation, groups) -> _Plan:
    return _plan((len(g), w.shape[1] * groups, *hw), w.shape, stride, padding, dilation, groups)


def supports_input_grad(g, w, hw, *settings) -> bool:
    if not floats(g, w):
        return False
    plan = _plan_back(g, w, hw, *settings)
    # A weight that is not finite, times the zeros between the rows of g, would be a NaN that no place asked for.
    return plan.worth_it and g.shape[2:] == plan.out and loops.finite(np.ascontiguousarray(w).reshape(-1))


def conv2d_input_grad(g, w, hw, *settings):
    """Every four channels collect what the taps that looked at them give back, phase by phase."""
    plan = _plan_back(g, w, hw, *settings)
    n, groups, channels, outputs = plan.images, plan.groups, plan.channels, plan.outputs
    turned = w.reshape(groups, outputs, channels, -1).swapaxes(1, 2)  # (G, C/G, O/G, taps)
    if len(plan.taps) > 1:
        turned = np.concatenate([turned[..., each].reshape(groups, channels, -1) for each in plan.taps], axis=2)
    weights = _rows(turned.reshape(groups, channels, -1))
    dx = np.zeros((n, groups * channels, *hw), g.dtype)
    parts = plan.parts(n)
    spread = workspace("spread", parts * (outputs * plan.reach + _TILE), g.dtype)
    totals = plan.rows("totals", parts, weights.shape[1], g.dtype)
    arrays = np.ascontiguousarray(g), weights, dx, spread, totals
    _share(loops.input_grad, plan, parts, *arrays, parts, *plan.back)
    return dx


def _plan_weight(g, x, khw, *settings) -> _Plan:
    return _plan(x.shape, (g.shape[1], x.shape[1] // settings[-1], *khw), *settings)


def supports_weight_grad(g, x, khw, *settings) -> bool:
    if not floats(g, x):
        return False
    plan = _plan_weight(g, x, khw, *settings)
    return plan.worth_it and g.shape[2:] == plan.out


def conv2d_weight_grad(g, x, khw, *settings):
    """Each thread sums over its own images; the sums are added in the order of the threads."""
    plan = _plan_weight(g, x, khw, *settings)
    outputs, parts, fours = plan.outputs, plan.parts(plan.images), _fours(plan.outputs)
    padded, spread = plan.padded(parts, x.dtype), plan.rows("spread", parts, fours, x.dtype)
    total, *others = sums = np.zeros((parts, plan.groups, fours, len(plan.offsets)), x.dtype)
    arrays = np.ascontiguousarray(g), np.ascontiguousarray(x), sums, padded, spread
    _share(loops.weight_grad, plan, parts, *arrays, *plan.settings)
    for other in others:
        total += other
    if not loops.finite(total.reshape(-1)):
        # Between the rows of g stand zeros. One that met an infinite pixel is a NaN too many: the reference decides.
        return reference.conv2d_weight_grad.reference(g, x, khw, *settings)
    return total[:, :outputs].reshape(plan.groups * outputs, -1, *khw)


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.conv2d.override(supports)(conv2d)
    reference.conv2d_input_grad.override(supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(supports_weight_grad)(conv2d_weight_grad)
