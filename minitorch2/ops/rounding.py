"""Step functions: sign, and rounding to integers."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Elementwise
from ._common import Zeros, require_floating
from ._inplace import inplace


class Sign(Elementwise):
    @staticmethod
    def forward(ctx, x):
        return K.sign(x)

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g)


class _Step(Elementwise):
    """A step function: flat wherever it has a slope."""

    compute: staticmethod

    @classmethod
    def forward(cls, ctx, x):
        return cls.compute(x) if x.dtype.kind == "f" else x.copy()

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g)


class Floor(_Step):
    compute = staticmethod(K.floor)


class Ceil(_Step):
    compute = staticmethod(K.ceil)


class Round(_Step):
    compute = staticmethod(K.rint)


class RoundDecimals(Elementwise):
    torch_name = "RoundBackward1"

    @staticmethod
    def forward(ctx, x, decimals):
        scale = 10.0 ** abs(decimals)
        return K.rint(x * scale) / scale if decimals > 0 else K.rint(x / scale) * scale

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g), None


class Trunc(_Step):
    compute = staticmethod(K.trunc)


class Frac(Elementwise):
    """x - trunc(x)"""

    @staticmethod
    def forward(ctx, x):
        return K.frac(x)

    @staticmethod
    def backward(ctx, g):
        return g


def sign(input):
    """-1, 0 or 1."""
    return Sign.apply(input) if input._data.dtype.kind != "b" else input.clone()


def floor(input):
    """The largest integer <= input, in input's dtype."""
    return Floor.apply(_no_bools("floor", input))


def ceil(input):
    """The smallest integer >= input, in input's dtype."""
    return Ceil.apply(_no_bools("ceil", input))


def round(input, *, decimals=0):
    """To the nearest integer (ties to even), or to `decimals` decimal places."""
    _no_bools("round", input)
    if decimals:
        if input._data.dtype.kind in "iu":
            raise NotImplementedError("round(): decimals of integers are not implemented; convert with .float() first")
        return RoundDecimals.apply(input, decimals)
    return Round.apply(input)


def trunc(input):
    """Towards zero."""
    return Trunc.apply(_no_bools("trunc", input))


def frac(input):
    """input - trunc(input)."""
    require_floating("frac_cpu", input)
    return Frac.apply(input)


def _no_bools(op, input):
    if input._data.dtype.kind == "b":
        raise NotImplementedError(f"\"{op}\" not implemented for 'Bool'; convert with .int() first")
    return input


class RoundingMethods:
    sign, floor, ceil, round, trunc, fix, frac = sign, floor, ceil, round, trunc, trunc, frac
    sign_, floor_, ceil_ = inplace(sign), inplace(floor), inplace(ceil)
    round_, trunc_, frac_ = inplace(round), inplace(trunc), inplace(frac)
    fix_ = trunc_
