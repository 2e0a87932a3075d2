"""Convolutions of many outputs, compiled by numba: a product of the weights and of what each tap sees of each place.

With few outputs, compiled_dense.py reads the pixels where they are. With many it pays to lay them out for a product,
panel by panel (places_loops.py). What is laid out then may come from many small images, and leaves out most of the
padding; the weights are read where they lie, whichever way. Threads share the images; of few images the lines, or where
these are few as well the outputs, so that each reads its own weights.
"""

from __future__ import annotations

import math

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from .compiled_dense import Plan, Plans, whole, worth_laying_out
from .conv import workspace
from .depthwise import floats
from .jit import Loops
from .planes import all_places, layout, phases
from .pool import get_num_threads, share_loop

loops = Loops("places_loops")

_MANY = 96  # outputs, or channels of a gradient, from which on they are worth that what they multiply is laid out
_NUMBERS = 1 << 17  # of a block of images and of what comes out, so that both stay in the second-level cache
_SUMS = 1 << 16  # numbers of all outputs that are summed up before the next rows of the image, for the same cache
_ENOUGH, _LARGE = 64, 16  # outputs of a thread; panels of one
IMAGES, OUTPUTS, LINES = range(3)  # what a thread has a part of
_CACHE_LINE = 16  # numbers of float32 in a line of the cache
_WORTH_SHARING = 1 << 18  # multiplications


class _Plan(Plan):
    """How the work is cut, where a block of images stands, side by side, and where from there each tap looks."""

    def __init__(self, x_shape, w_shape, stride, padding, dilation, groups, threads: int):
        (n, _, *hw), (outputs, self.channels, *khw) = x_shape, w_shape
        self.out = tuple(out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
        self.images, self.groups, self.outputs, area = n, groups, outputs // groups, math.prod(khw)
        self.numbers = self.channels * area  # of an output's weights
        work = n * outputs * math.prod(self.out) * self.numbers
        self.worth_it, self.worth = work > 0 and worth_laying_out(khw, stride, self.out), work / _WORTH_SHARING
        if not work:
            return
        place = layout((*hw,), (*khw,), stride, padding, dilation, self.out, True)
        self.dealt, of = phases(place), all_places(self.out)
        count, size, lead = len(self.dealt), place.height * place.width, int(place.within.max())
        sides = self.dealt[:, [1, 5]] - self.dealt[:, [0, 4]]  # of the phases
        self.sees_all, self.largest = bool(sides.prod(axis=1).sum() == math.prod(hw)), tuple(sides.max(axis=0).tolist())
        # A thread has images, in equal blocks of no fewer than fill a panel with one row. Where there are too few of
        # them it has outputs of all, or lines, if these are many.
        each, full = -(-n // threads), -(-loops.PANEL // self.out[1])
        few = n < threads or each < full
        rest = LINES if n * math.prod(self.out) >= _LARGE * threads * loops.PANEL else OUTPUTS
        self.by = rest if n < threads or (few and self.outputs >= threads * _ENOUGH) else IMAGES
        self.by_back = rest if n < threads or (few and self.channels >= threads * _ENOUGH) else IMAGES
        self.by_weights = OUTPUTS if n < threads or 3 * self.numbers * outputs > math.prod(x_shape) else IMAGES
        fitting = _NUMBERS // (self.channels * count * size + self.outputs * math.prod(self.out))
        most = n if few else each
        self.block = -(-most // -(-most // max(1, fitting, full)))
        row = self.block * size
        shape = place.height, place.width, self.block
        self.padded = whole(self.channels * count * row + lead + loops.PANEL, _CACHE_LINE)
        self.spread = whole(self.outputs * (lead + row) + loops.PANEL, _CACHE_LINE)
        # What the loops call taps: those of the window, and those that look back from it, phase after phase.
        phase_of, within, behind = place.phase_of, place.within, place.within // place.width
        order, until = np.argsort(phase_of, kind="stable"), self.dealt[phase_of, :2] - behind[:, None]
        taps = np.stack([phase_of * row + within, np.arange(area), *until.T])
        back = np.stack([lead - within, np.arange(area), behind, behind + self.out[0]])[:, order]
        self.settings = self.dealt, of, taps, *shape
        self.back = self.dealt, of, back, np.searchsorted(phase_of[order], np.arange(count + 1)), lead, *shape

    def cut(self, by: int, rows: int, lines: int) -> tuple[int, int]:
        """How many parts there are, and of what: images, so many outputs or channels, or so many lines."""
        return self.parts((self.images, -(-rows // loops.ROWS), lines)[by]), by

    def sums(self, cut: tuple[int, int], rows: int, height: int, width: int) -> tuple[int, int, int]:
        """How many lines of images of this size a part sums up at once, for so many outputs or channels altogether; the
        places of these lines, up to whole panels; and all numbers of these sums."""
        own = whole(rows, loops.ROWS * cut[0]) // cut[0] if cut[1] == OUTPUTS else whole(rows, loops.ROWS)
        lines = max(1, min(height, _SUMS // (own * self.block * max(1, width))))
        length = whole(lines * self.block * width, loops.PANEL)
        return lines, length, own * length


plans = Plans(_Plan)


def supports(x, w, *settings) -> bool:
    if len(x) < get_num_threads() or len(w) < _MANY * settings[-1] or not floats(x, w):
        return False  # of fewer images than threads compiled_dense shares the outputs, and is no slower
    return plans.of(x.shape, w.shape, *settings).worth_it


def _least(images: int) -> int:
    """The fewest rows of a gradient: less where compiled_dense, which shares images alone, would leave threads idle."""
    return _MANY if images >= get_num_threads() else _MANY // 4


def conv2d(x, w, *settings):
    """A block of images after the other, or of outputs for all images."""
    plan = plans.of(x.shape, w.shape, *settings)
    y = np.empty((plan.images, len(w), *plan.out), x.dtype)
    cut = plan.cut(plan.by, plan.outputs, plan.out[0])
    *at_once, sums = plan.sums(cut, plan.outputs, *plan.out)
    work = workspace("places", cut[0] * (plan.padded + sums), x.dtype)
    weights = ascontiguousarray(w).reshape(plan.groups, plan.outputs, plan.numbers)
    arrays = ascontiguousarray(x), weights, y, work
    share_loop(plan.worth, loops.conv, cut[0], *arrays, plan.padded, *cut, *at_once, *plan.settings)
    return y


def supports_input_grad(g, w, hw, *settings) -> bool:
    if w.shape[1] < _least(len(g)) or not floats(g, w):
        return False
    plan = plans.back(g, w, hw, *settings)
    return plan.worth_it and g.shape[2:] == plan.out


def conv2d_input_grad(g, w, hw, *settings):
    """The same product, phase by phase, of the weights with the places that looked at a pixel."""
    if not np.isfinite(w.sum()):
        # Such a weight, times the zeros around g, is a NaN that no place asked for: the reference decides.
        return reference.conv2d_input_grad.reference(g, w, hw, *settings)
    plan = plans.back(g, w, hw, *settings)
    dx = (np.empty if plan.sees_all else np.zeros)((plan.images, plan.groups * plan.channels, *hw), g.dtype)
    cut = plan.cut(plan.by_back, plan.channels, plan.largest[0])
    *at_once, sums = plan.sums(cut, plan.channels, *plan.largest)
    work = workspace("places", cut[0] * (plan.spread + sums), g.dtype)
    weights = ascontiguousarray(w).reshape(plan.groups, plan.outputs, plan.channels, -1)
    arrays = ascontiguousarray(g), weights, dx, work
    share_loop(plan.worth, loops.input_grad, cut[0], *arrays, plan.spread, *cut, *at_once, *plan.back)
    return dx


def supports_weight_grad(g, x, khw, *settings) -> bool:
    if g.shape[1] < _least(len(g)) * settings[-1] or not floats(g, x):
        return False
    plan = plans.weight(g, x, khw, *settings)
    return plan.worth_it and g.shape[2:] == plan.out


def conv2d_weight_grad(g, x, khw, *settings):
    """The product of g with what each tap sees, summed over the places. Where each thread has images of its own, their
    sums are added in the order of the threads."""
    plan = plans.weight(g, x, khw, *settings)
    cut = plan.cut(plan.by_weights, plan.outputs, 0)
    dw = np.empty((plan.groups * plan.outputs, plan.channels, *khw), x.dtype)
    kept, rows, length = (
        1 if cut[1] == OUTPUTS else cut[0],
        whole(plan.outputs, loops.ROWS),
        whole(plan.numbers, loops.PANEL),
    )
    shape, direct = (kept, plan.groups, rows, length), (kept, rows, length) == (1, plan.outputs, plan.numbers)
    sums = (dw if direct else workspace("sums", math.prod(shape), x.dtype)).reshape(shape)
    work = workspace("places", cut[0] * plan.padded, x.dtype)
    arrays = ascontiguousarray(g), ascontiguousarray(x), sums, work
    share_loop(plan.worth, loops.weight_grad, cut[0], *arrays, plan.padded, *cut, *plan.settings)
    if not direct:
        own = sums[:, :, : plan.outputs, : plan.numbers]
        np.add.reduce(own, axis=0, out=dw.reshape(plan.groups, plan.outputs, plan.numbers))
    return dw


def register() -> None:
    """Puts these kernels before compiled_dense's."""
    reference.conv2d.override(supports)(conv2d)
    reference.conv2d_input_grad.override(supports_input_grad)(conv2d_input_grad)
    reference.conv2d_weight_grad.override(supports_weight_grad)(conv2d_weight_grad)
