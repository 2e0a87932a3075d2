"""Reading an image between its elements: where to read, the neighbours of a place, and their weights."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from ..core.quiet import IGNORE, restore, silence


class Folded(Function):
    """The array y, which follows x along straight pieces: y = slope * x + a constant on each."""

    torch_name = "GridSampler2DBackward0"

    @staticmethod
    def forward(ctx, x, y, slope):
        ctx.save_constants(slope)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.constants[0], None, None


def fold_back(x, n, padding_mode, align_corners, nan):
    """(y, slope): places x, any shape, brought back among n elements at 0 ... n - 1, and dy/dx, both like x.

    'border' moves what is outside to the nearest edge, 'reflection' mirrors it at the edges: those of the elements,
    half an element further out, or their centres with align_corners. NaN becomes `nan`, 0 or n - 1.
    """
    token = silence(IGNORE)  # infinite places
    try:
        return _fold_back(x, n, padding_mode, align_corners, nan)
    finally:
        restore(token)


def _fold_back(x, n, padding_mode, align_corners, nan):
    slope = K.ones_like(x)
    if padding_mode == "reflection":
        start, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return K.zeros_like(x), K.zeros_like(x)
        from_start = x - start
        distance = K.abs(from_start)
        turns = K.floor(distance / span)
        rest = distance - turns * span
        back = turns % 2 == 1  # every other stretch is run through backwards
        x = K.where(back, span - rest, rest) + start
        slope = K.where(back != (from_start < 0), -slope, slope)
    inside = (x > 0) & (x < n - 1)
    low, high = (K.fmax, 0), (K.fmin, n - 1)
    for bound, limit in (low, high) if nan == 0 else (high, low):  # the first of the two replaces NaN
        x = bound(x, limit)
    return x, K.where(inside, slope, 0 * slope)


def cubic_weights(t):
    """The weights of the four elements around a place that is t (0 to 1) beyond the second: arrays or tensors like t.

    Cubic convolution with a = -0.75: Keys, "Cubic convolution interpolation for digital image processing" (1981).
    """
    return _far(t + 1), _near(t), _near(1 - t), _far(2 - t)


def _near(d):  # (a + 2) d^3 - (a + 3) d^2 + 1, at distances d up to 1
    return (1.25 * d - 2.25) * d * d + 1


def _far(d):  # a (d^3 - 5 d^2 + 8 d - 4), at distances from 1 to 2
    return ((d - 5) * d + 8) * d * -0.75 + 3
