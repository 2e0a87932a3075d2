"""The modified Bessel functions of the first kind of order 0 and 1, and the two scaled by exp(-|x|)."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Elementwise
from ._common import to_float
from .arithmetic import Where
from .rounding import Sign


class I0(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.i0(x)

    @staticmethod
    def backward(ctx, g):  # I0' = I1
        (x,) = ctx.saved
        return g * I1.apply(x)


class I0e(Elementwise):
    torch_name = "SpecialI0EBackward0"

    @staticmethod
    def forward(ctx, x):
        y = K.i0e(x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved
        return g * (I1e.apply(x) - Sign.apply(x) * y)


class I1(Elementwise):
    torch_name = "SpecialI1Backward0"

    @staticmethod
    def forward(ctx, x):
        y = K.i1(x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):  # I1' = I0 - I1 / x, which is 1/2 at 0
        x, y = ctx.saved
        zero = x == 0
        slope = I0.apply(x) - y / Where.apply(zero, 1.0, x)
        return g * Where.apply(zero, 0.5, slope)


class I1e(Elementwise):
    torch_name = "SpecialI1EBackward0"

    @staticmethod
    def forward(ctx, x):
        y = K.i1e(x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved
        zero = x == 0
        slope = I0e.apply(x) - y * (Sign.apply(x) + 1 / Where.apply(zero, 1.0, x))
        return g * Where.apply(zero, 0.5, slope)


def i0(input):
    """The modified Bessel function of the first kind of order 0."""
    return I0.apply(to_float(input))


def i0e(input):
    """exp(-|input|) i0(input), which does not overflow."""
    return I0e.apply(to_float(input))


def i1(input):
    """The modified Bessel function of the first kind of order 1."""
    return I1.apply(to_float(input))


def i1e(input):
    """exp(-|input|) i1(input), which does not overflow."""
    return I1e.apply(to_float(input))
