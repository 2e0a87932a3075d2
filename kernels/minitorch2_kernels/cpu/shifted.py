"""Convolution without im2col and without numba: BLAS multiplies the images where they lie, once for each tap.

In planes.py's layout what a tap sees of all places of several images is one slice of each channel's row, so

    y (O, places) = sum over taps of  w[:, :, tap] (O, C) @ planes[:, offset[tap] : offset[tap] + places] (C, places)

im2col copies every pixel KH*KW times to make that sum one product. BLAS can add a product to what is there already,
which np.matmul has no argument for, and so needs no copy. Products that sum a few numbers only are slow; of a few
channels the KW taps of a window's row are copied, and one product takes them together.

Measured on two cores against conv.py, batch 128, 3x3: 0.65 of its time for 16 to 16 channels of 32x32, 0.83 for 32 of
16x16, 0.87 for 64 of 8x8.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from . import conv
from .conv import around_turned, share_sum, share_work, turned, workspace
from .depthwise import floats
from .gemm import multiply_add, sgemm
from .planes import layout
from .pool import get_num_threads

BLOCK = 768 * 1024  # numbers at a time, of factors and results: long products gain more than a near cache
MANY = 64  # channels, from which on each tap is a product of its own
FEWEST = 12  # channels below which im2col is faster
WORTH_IT = 16 << 20  # multiplications, below which the calls take longer than copying
DENSE = 0.6  # the part of a row that is places, below which im2col wastes less


class _Plan:
    """Where the pixels of `block` images stand, side by side, and which of them each product takes."""

    def __init__(self, x_shape, w_shape, stride, padding, dilation, groups, threads: int):
        (n, c, *hw), (o, _, *khw) = x_shape, w_shape
        self.out = tuple(out_size(hw[i], khw[i], 1, padding[i], dilation[i]) for i in (0, 1))
        work = n * o * math.prod(self.out) * c * math.prod(khw)
        few = groups > 1 or stride != (1, 1) or c < FEWEST or o >= 2 * c or khw == [1, 1]
        self.worth_it = not few and work >= WORTH_IT and sgemm() is not None
        if not self.worth_it:
            return
        place = layout((*hw,), (*khw,), stride, padding, dilation, self.out, True)
        (phase,) = place.phases
        self.image = (place.height, place.width)
        self.numbers = math.prod(self.image)
        self.inside = phase.to_rows, phase.to_columns
        self.seen = phase.rows, phase.columns
        self.worth_it = math.prod(self.out) >= DENSE * self.numbers
        self.together = khw[1] if c < MANY else 1  # taps of a product
        self.sums = c * self.together  # numbers that a product sums
        self.block = max(1, min(-(-n // threads), BLOCK // ((c + self.sums + o) * self.numbers)))
        self.starts = place.within[:: self.together].tolist()  # of each product, in the rows
        self.lead, self.apart = int(place.within[-1]), dilation[1]

    def blocks(self, first, last):
        for a in range(first, last, self.block):
            b = min(last, a + self.block)
            yield a, b, (b - a) * self.numbers

    def rows(self, images):
        """The images (B, C, H, W) as rows (K, B * numbers and what the last tap sees beyond), K what a product sums."""
        b, c = images.shape[:2]
        length = b * self.numbers
        planes = workspace("planes", c * (length + self.lead), images.dtype).reshape(c, -1)
        planes[...] = 0
        pixels = planes[:, :length].reshape(c, b, *self.image)
        pixels[:, :, *self.inside] = images[:, :, *self.seen].swapaxes(0, 1)
        if self.together == 1:
            return planes
        reach = length + self.lead - self.apart * (self.together - 1)
        rows = workspace("rows", self.sums * reach, images.dtype).reshape(c, self.together, reach)
        for tap in range(self.together):
            rows[:, tap] = planes[:, tap * self.apart : tap * self.apart + reach]
        return rows.reshape(self.sums, reach)

    def totals(self, outputs, length, dtype):
        """(totals (O, B * numbers), the view (B, O, OH, OW) of what of it belongs to places)"""
        totals = workspace("totals", outputs * length, dtype).reshape(outputs, length)
        places = totals.reshape(outputs, -1, *self.image)[:, :, : self.out[0], : self.out[1]]
        return totals, places.swapaxes(0, 1)


@functools.lru_cache(maxsize=256)
def _planned(*settings) -> _Plan:
    return _Plan(*settings)


def _plan(x_shape, w_shape, *settings) -> _Plan:
    return _planned(x_shape, w_shape, *settings, get_num_threads())


def _float32(a, b) -> bool:
    return floats(a, b) and a.dtype.char == "f"


def _supports(x, w, *settings) -> bool:
    return _float32(x, w) and _plan(x.shape, w.shape, *settings).worth_it


@reference.conv2d.override(_supports)
def conv2d(x, w, *settings):
    """Block by block, each product added to those before."""
    plan, (o, c) = _plan(x.shape, w.shape, *settings), w.shape[:2]
    matrices = ascontiguousarray(w.reshape(o, c, -1, plan.together).transpose(2, 0, 1, 3)).reshape(-1, o, plan.sums)
    y = np.empty((len(x), o, *plan.out), x.dtype)

    def part(first, last):
        for a, b, length in plan.blocks(first, last):
            rows, (totals, places) = plan.rows(x[a:b]), plan.totals(o, length, x.dtype)
            for number, start in enumerate(plan.starts):
                multiply_add(matrices[number], rows[:, start : start + length], totals, number > 0)
            y[a:b] = places

    share_work(part, len(x), WORTH_IT)
    return y


def _back(w, stride, padding, dilation, groups):
    """The settings of the convolution of g that the input's gradient is where there is no stride."""
    return stride, around_turned(w.shape[2:], padding, dilation), dilation, groups


def _supports_input_grad(g, w, hw, *settings) -> bool:
    back, (o, c, *khw) = _back(w, *settings), w.shape
    return _float32(g, w) and min(back[1]) >= 0 and _plan(g.shape, (c, o, *khw), *back).worth_it


@reference.conv2d_input_grad.override(_supports_input_grad)
def conv2d_input_grad(g, w, hw, *settings):
    """A convolution of g with w turned round."""
    return conv2d(g, turned(w, 1), *_back(w, *settings))


def _plan_weight(g, x, khw, *settings) -> _Plan:
    return _plan(x.shape, (g.shape[1], x.shape[1], *khw), *settings)


def _supports_weight_grad(g, x, khw, *settings) -> bool:
    return _float32(g, x) and _plan_weight(g, x, khw, *settings).worth_it


@reference.conv2d_weight_grad.override(_supports_weight_grad)
def conv2d_weight_grad(g, x, khw, *settings):
    """Each thread sums over its own images; the sums are added in the order of the threads."""
    plan, o, c = _plan_weight(g, x, khw, *settings), g.shape[1], x.shape[1]

    def part(first, last):
        total = np.zeros((len(plan.starts), o, plan.sums), g.dtype)
        product = np.empty((o, plan.sums), g.dtype)
        for a, b, length in plan.blocks(first, last):
            rows, (spread, places) = plan.rows(x[a:b]), plan.totals(o, length, g.dtype)
            spread[...] = 0
            places[...] = g[a:b]
            for number, start in enumerate(plan.starts):
                total[number] += np.matmul(spread, rows[:, start : start + length].T, out=product)
        return total

    total = share_sum(part, len(x), WORTH_IT)
    if not np.isfinite(total).all():
        # Between the rows of g stand zeros: one that met an infinite pixel gave a NaN that no place knows of.
        return conv.conv2d_weight_grad(g, x, khw, *settings)
    return total.reshape(-1, o, c, plan.together).transpose(1, 2, 0, 3).reshape(o, c, *khw)
