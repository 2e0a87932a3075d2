"""Convolution compiled by numba, without im2col: every tap of every channel is a shift of a row of numbers.

The layout is planes.py's, for all channels one after the other, so that a convolution of any window, stride, padding
and dilation is one loop:

    y[o, q] = sum over t of  w[o, t] * x[offset[t] + q]          t: a channel and a tap of its window

im2col copies every pixel KH*KW times for a product that then reads the copies; here the pixels are read where they
are, at the rate of BLAS's products. Images of late layers, which have few pixels, lie side by side in one row. In a
depthwise convolution t is a tap alone: every one is computed so.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from .conv import workspace
from .depthwise import depthwise, floats
from .jit import Loops
from .planes import all_places, layout, phases
from .pool import get_num_threads, parts_of, share_loop

loops = Loops("dense_loops")

_LONG = 1000  # numbers in a row, from which on its loop pays for being set up
_TILE, _LINE, _ROWS = 48, 64, 4  # tile.py's greatest widths, of float32: buffers end with a whole one; and its rows
IMAGES, GROUPS, OUTPUTS = range(3)  # what a thread has a part of
_CACHE_LINE = 16  # numbers of float32 in a line of the cache
_NUMBERS = 64 * 1024  # of all channels of the images in a row
_WORTH_SHARING = 1 << 18  # multiplications
_DENSE = 0.4  # the part of a row that is places of the output, below which im2col wastes less


def whole(n: int, of: int) -> int:
    """n, up to the next multiple of `of`."""
    return -(-n // of) * of


def worth_laying_out(khw, stride, out) -> bool:
    """Whether rows are full enough. 1x1 windows need no im2col either, and BLAS is at its best there."""
    (kh, kw), (oh, ow) = khw, out
    full = oh * ow >= _DENSE * (oh + (kh - 1) // stride[0]) * (ow + (kw - 1) // stride[1])
    return kh * kw > 1 and full


def rows_of(n: int) -> int:
    """How many rows of sums a group has for n outputs, or channels on the way back."""
    return n if n == 1 else -(-n // _ROWS) * _ROWS


class Plan:
    """How much work a convolution is, in units of the least that is worth sharing."""

    worth: float

    def parts(self, n: int) -> int:
        """In how many parts range(n) is worth cutting."""
        return parts_of(n) if self.worth >= 1 else 1


class Plans:
    """The plans of a kind, each made once for its shapes, settings and the number of threads."""

    def __init__(self, kind: Any):
        self.made = functools.lru_cache(maxsize=256)(kind)

    def of(self, x_shape, w_shape, stride, padding, dilation, groups) -> Any:
        return self.made(x_shape, w_shape, stride, padding, dilation, groups, get_num_threads())

    def back(self, g, w, hw, *settings) -> Any:
        """That of the convolution whose input, of hw = (H, W), g is the way back to."""
        return self.of((len(g), w.shape[1] * settings[-1], *hw), w.shape, *settings)

    def weight(self, g, x, khw, *settings) -> Any:
        """That of the convolution whose weights, of khw = (KH, KW), get a gradient."""
        return self.of(x.shape, (g.shape[1], x.shape[1] // settings[-1], *khw), *settings)


class _Plan(Plan):
    """Where the numbers of `block` images stand, side by side, and where from there each tap looks."""

    def __init__(self, x_shape, w_shape, stride, padding, dilation, groups, threads: int):
        (n, _, *hw), (o, cg, *khw) = x_shape, w_shape
        self.out = tuple(out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
        self.images, self.channels = n, cg
        self.taken, self.given = (groups, o // groups, cg * math.prod(khw)), (n, o, *self.out)  # w's and y's shape
        self.rows, self.rows_back = rows_of(o // groups), rows_of(cg)
        work = n * o * math.prod(self.out) * cg * math.prod(khw)
        fits = depthwise(x_shape, self.given, groups) or worth_laying_out(khw, stride, self.out)
        self.worth_it, self.worth = work > 0 and fits, work / _WORTH_SHARING
        if not work:
            return
        place = layout((*hw,), (*khw,), stride, padding, dilation, self.out, True)
        count, numbers = len(place.phases), place.height * place.width
        few = GROUPS if groups >= threads else OUTPUTS if self.rows >= _ROWS else IMAGES
        self.by = IMAGES if n >= threads else few
        # A thread's images, in equal blocks of about _LONG numbers that stay in the second-level cache.
        most = -(-n // threads) if self.by == IMAGES else n
        fitting = _NUMBERS // (cg * count * numbers)
        blocks = -(-most // max(1, min(fitting, _LONG // numbers)))
        block = -(-most // blocks)
        phase_of, within = place.phase_of, place.within
        lead, row = int(within.max()), block * numbers
        self.padded = whole(cg * count * row + lead + _LINE, _CACHE_LINE)
        both = self.rows, self.rows_back
        self.sums, self.sums_back = (rows * whole(row, _LINE if rows == 1 else _TILE) for rows in both)  # of a group
        offsets = ((np.arange(cg)[:, None] * count + phase_of) * row + within).reshape(-1)
        dealt = phases(place)
        self.sees_all = bool(((dealt[:, 1] - dealt[:, 0]) * (dealt[:, 5] - dealt[:, 4])).sum() == math.prod(hw))
        where, shape = (dealt, all_places(self.out)), (place.height, place.width, block)
        self.settings = *where, offsets, *shape
        # Backwards: the taps of each phase, where a phase's begin and end, how far behind a place of g's each one looks
        taps = [np.flatnonzero(phase_of == number) for number in range(count)]
        self.order, self.bounds = np.concatenate(taps), np.cumsum([0, *map(len, taps)])
        behind = np.arange(o // groups)[:, None] * (lead + row) + lead
        back = [(behind - within[each]).reshape(-1) for each in taps]
        self.spread = whole(o // groups * (lead + row) + _LINE, _CACHE_LINE)
        self.back = *where, np.concatenate(back), self.bounds, lead, *shape

    def cut(self, outputs: bool = False) -> tuple[int, int]:
        """How many parts there are, and of what. `outputs`: these can be parts, too."""
        by = IMAGES if self.by == OUTPUTS and not outputs else self.by
        return self.parts((self.images, self.taken[0], self.rows // _ROWS)[by]), by


plans = Plans(_Plan)


def supports(x, w, *settings) -> bool:
    return floats(x, w) and plans.of(x.shape, w.shape, *settings).worth_it


def conv2d(x, w, *settings):
    """Every four outputs add up the same shifted images."""
    plan = plans.of(x.shape, w.shape, *settings)
    y, cut = np.empty(plan.given, x.dtype), plan.cut(outputs=True)
    work = workspace("dense", cut[0] * (plan.padded + plan.sums), x.dtype)
    arrays = ascontiguousarray(x), ascontiguousarray(w).reshape(plan.taken), y, work
    share_loop(plan.worth, loops.conv, cut[0], *arrays, plan.padded, *cut, *plan.settings)
    return y


def supports_input_grad(g, w, hw, *settings) -> bool:
    if not floats(g, w):
        return False
    plan = plans.back(g, w, hw, *settings)
    return plan.worth_it and g.shape[2:] == plan.out


def conv2d_input_grad(g, w, hw, *settings):
    """Every four channels collect what the taps that looked at them give back, phase by phase."""
    plan = plans.back(g, w, hw, *settings)
    n, channels, (groups, outputs, numbers) = plan.images, plan.channels, plan.taken
    turned = np.empty((groups, channels, outputs * (numbers // channels)), g.dtype)
    if not loops.turn(ascontiguousarray(w).reshape(groups, outputs, channels, -1), plan.order, plan.bounds, turned):
        # Such a weight, times the zeros between the rows of g, is a NaN that no place asked for: the reference decides.
        return reference.conv2d_input_grad.reference(g, w, hw, *settings)
    allocate = np.empty if plan.sees_all else np.zeros
    dx, cut = allocate((n, groups * channels, *hw), g.dtype), plan.cut()
    work = workspace("dense", cut[0] * (plan.spread + plan.sums_back), g.dtype)
    arrays = ascontiguousarray(g), turned, dx, work
    share_loop(plan.worth, loops.input_grad, cut[0], *arrays, plan.spread, *cut, *plan.back)
    return dx


def supports_weight_grad(g, x, khw, *settings) -> bool:
    if not floats(g, x):
        return False
    plan = plans.weight(g, x, khw, *settings)
    return plan.worth_it and g.shape[2:] == plan.out


def conv2d_weight_grad(g, x, khw, *settings):
    """Each thread sums over its own images, and these sums are added in the order of the threads; or it has groups."""
    plan = plans.weight(g, x, khw, *settings)
    (groups, outputs, numbers), cut = plan.taken, plan.cut()
    work = workspace("dense", cut[0] * (plan.padded + plan.sums), x.dtype)
    shape = cut[0] if cut[1] == IMAGES else 1, groups, plan.rows, numbers
    sums = workspace("sums", math.prod(shape), x.dtype).reshape(shape)
    arrays = ascontiguousarray(g), ascontiguousarray(x), sums, work
    share_loop(plan.worth, loops.weight_grad, cut[0], *arrays, plan.padded, *cut, *plan.settings)
    dw = np.empty((groups * outputs, plan.channels, *khw), x.dtype)
    if not loops.add_parts(sums, dw.reshape(plan.taken)):
        # Between the rows of g stand zeros. One that met an infinite pixel is a NaN too many: the reference decides.
        return reference.conv2d_weight_grad.reference(g, x, khw, *settings)
    return dw


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.conv2d.override(supports)(conv2d)
    reference.conv2d_input_grad.override(supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(supports_weight_grad)(conv2d_weight_grad)
