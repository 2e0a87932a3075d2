"""What a floating-point number is made of: its sign, mantissa and exponent, its neighbours, its infinities."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ..core.function import Function, zeros_beside
from . import _return_types as return_types
from ._common import Broadcasting, two_floats
from ._inplace import inplace
from .arithmetic import Where
from .comparison import eq


def signbit(input):
    """Whether the sign bit is set, that of -0.0 included: bool."""
    data = K.widen(input._data) if input._data.dtype.kind == "V" else input._data
    return Function.as_tensor(K.signbit(data) if data.dtype.kind == "f" else K.asarray(data < 0))


def isposinf(input):
    """Where input is inf: bool."""
    return eq(input, math.inf)


def isneginf(input):
    """Where input is -inf: bool."""
    return eq(input, -math.inf)


def nextafter(input, other):
    """The next number after input in the direction of other, as far from which it is as input was."""
    return NextAfter.apply(*two_floats("nextafter", input, other))


class NextAfter(Broadcasting):
    """The number after a towards b: with a slope of 1 in a, or where it is b of 0."""

    keeps_dtype = True
    torch_name = "NextafterBackward0"

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_constants(a != b if a.dtype.kind == "f" else K.widen(a) != K.widen(b))
        ctx.shape = b.shape
        return _next_half(a, b) if a.itemsize == 2 else K.nextafter(a, b)

    @staticmethod
    def backward(ctx, g):
        (moves,) = ctx.constants
        return Where.apply(moves, g, 0.0), zeros_beside(g, ctx.shape)


def _next_half(a, b):
    """nextafter in two bytes: as integers they count the numbers of one sign, away from 0."""
    x, y = (K.cast(number, np.dtype(np.float32)) for number in (a, b))
    of_a, of_b = a.view(np.int16), b.view(np.int16)
    found = K.where((y > x) == (x > 0), of_a + 1, of_a - 1)
    found = K.where(x == 0, of_b & -0x8000 | 1, found)  # from 0 to the smallest of other's sign
    found = K.where((x == y) | K.isnan(y), of_b, found)
    return K.asarray(K.where(K.isnan(x), of_a, found), np.int16).view(a.dtype)


class Frexp(Function):
    """(mantissa, exponent), the exponent int32."""

    elementwise = True

    @staticmethod
    def forward(ctx, x):
        mantissa, exponent = np.frexp(x)
        ctx.save_constants(K.ldexp(K.ones_like(mantissa), -exponent))
        return mantissa, K.asarray(exponent, np.int32)

    @staticmethod
    def backward(ctx, g, _):  # m = x / 2^e, and e is a step
        return g * ctx.constants[0]


def frexp(input):
    """(mantissa, exponent) with input = mantissa * 2 ** exponent and 0.5 <= |mantissa| < 1; the exponent is int32 and
    has no gradient."""
    if input._data.dtype.kind not in "fV":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return return_types.frexp(*Frexp.apply(input))


class FloatMethods:
    signbit, isposinf, isneginf, nextafter, frexp = signbit, isposinf, isneginf, nextafter, frexp
    nextafter_ = inplace(nextafter)
