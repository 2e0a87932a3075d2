"""One channel's image as a row of numbers in which every tap of a window is a shift.

A depthwise convolution adds up KH*KW copies of an image, each moved and scaled. If the rows of the padded image follow
each other without a gap, moving by (k, l) is moving by k * width + l, and what a tap sees of all places is one slice:

    y[q] = sum over taps of  w[tap] * x[offset[tap] + q]        q = i * width + j for place (i, j)

so every tap is one long, unit-stride pass, however short the rows of a late layer are. The last width - OW numbers of
each row of y belong to no place: they are computed and dropped (or are zeros, where y is what comes in).

Where images lie side by side (`packed`), the zeros to the right of a row are those to the left of the next one, and the
zeros below an image are those above the next: a tenth to a fifth fewer numbers for the small images of late layers.

With a stride the image is dealt out to SH * SW smaller ones, its phases: phase (a, b) holds the rows a, a + SH, ... and
the columns b, b + SW, .... Within one phase, neighbouring places see neighbouring pixels again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Phase(NamedTuple):
    """Every SH-th row and SW-th column of the image, and where in its (height, width) they stand after the padding."""

    rows: slice  # of the image
    columns: slice
    to_rows: slice  # of the phase
    to_columns: slice


class Layout(NamedTuple):
    phases: tuple[Phase, ...]  # those that some tap looks at, one after the other
    phase_of: np.ndarray  # int64 (KH*KW,): which phase each tap looks at
    within: np.ndarray  # and what it is moved by there; of packed images it may reach into the next one
    height: int  # of a phase with its padding
    width: int
    length: int  # how far all places reach, from a tap's offset on: (OH-1) * width + OW

    @property
    def offsets(self) -> np.ndarray:
        """What each tap is moved by, where the phases stand one after the other."""
        return self.phase_of * (self.height * self.width) + self.within

    @property
    def size(self) -> int:
        """How many numbers one image becomes."""
        return len(self.phases) * self.height * self.width


def phases(place: Layout) -> np.ndarray:
    """For compiled loops, int64 (phases, 8): the phase's first and last row, the image's first and step; columns."""
    sides = [((p.to_rows, p.rows), (p.to_columns, p.columns)) for p in place.phases]
    return np.array([[(to.start, to.stop, of.start, of.step) for to, of in two] for two in sides]).reshape(-1, 8)


def all_places(out) -> np.ndarray:
    """Results (OH, OW) as `phases` would say it: all of them, from the first of a row of `width` on."""
    return np.array([[0, out[0], 0, 1, 0, out[1], 0, 1]])


@lru_cache(maxsize=256)
def layout(hw, khw, stride, padding, dilation, out, packed=False) -> Layout:
    """How images of hw = (H, W) are laid out for windows of khw = (KH, KW) at out = (OH, OW) places.

    packed: rows and images share the zeros around them; the last image must be followed by as many zeros as the largest
    offset.
    """
    taps = [[k * dilation[i] for k in range(khw[i])] for i in (0, 1)]
    # Padded pixels that no window reaches are left out, pixels that some window reaches beyond the image are not.
    height, width = (-(-((out[i] - 1) * stride[i] + taps[i][-1] + 1) // stride[i]) for i in (0, 1))
    used = [sorted({k % stride[i] for k in taps[i]}) for i in (0, 1)]
    phases = []
    for a in used[0]:
        rows, to_rows = _deal(hw[0], stride[0], padding[0] - a, height)
        for b in used[1]:
            columns, to_columns = _deal(hw[1], stride[1], padding[1] - b, width)
            phases.append(Phase(rows, columns, to_rows, to_columns))
    if packed:
        height = _shrunk(height, out[0], [phase.to_rows for phase in phases])
        width = _shrunk(width, out[1], [phase.to_columns for phase in phases])
    pairs = [(a, b) for a in used[0] for b in used[1]]
    phase_of = [pairs.index((k % stride[0], m % stride[1])) for k in taps[0] for m in taps[1]]
    within = [k // stride[0] * width + m // stride[1] for k in taps[0] for m in taps[1]]
    return Layout(tuple(phases), np.array(phase_of), np.array(within), height, width, (out[0] - 1) * width + out[1])


def _shrunk(size, places, filled):
    """The least distance of two rows such that what is read behind one is among the zeros before the next."""
    before, end = min(each.start for each in filled), max(each.stop for each in filled)
    return max(end, places, size - before)


def _deal(n, stride, padding, size):
    """Which of n pixels are at i * stride - padding for an i from 0 to size, and which i those are."""
    first = max(0, -(-padding // stride))
    last = max(first, min(size, -(-(n + padding) // stride)))
    start = first * stride - padding
    return slice(start, start + (last - first - 1) * stride + 1 if last > first else start, stride), slice(first, last)
