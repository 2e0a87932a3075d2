"""What a floating-point number is made of: its sign, mantissa and exponent, its neighbours, its infinities."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ..core.function import Function
from . import _return_types as return_types
from ._inplace import inplace
from .comparison import eq


def signbit(input):
    """Whether the sign bit is set, that of -0.0 included: bool."""
    data = K.widen(input._data) if input._data.dtype.kind == "V" else input._data
    return Function.variable(K.signbit(data) if data.dtype.kind == "f" else K.asarray(data < 0))


def isposinf(input):
    """Where input is inf: bool."""
    return eq(input, math.inf)


def isneginf(input):
    """Where input is -inf: bool."""
    return eq(input, -math.inf)


def nextafter(input, other):
    """The next number after input in the direction of other. No gradient."""
    for x in (input, other):
        if x._data.dtype.kind != "f" or x._data.itemsize == 2:
            raise NotImplementedError(
                f"\"nextafter_cpu\" not implemented for '{x.dtype.torch_type}'; it takes float32 and float64"
            )
    return Function.variable(K.nextafter(input._data, other._data))


def frexp(input):
    """(mantissa, exponent) with input = mantissa * 2 ** exponent and 0.5 <= |mantissa| < 1; the exponent
    is int32. No gradient."""
    if input._data.dtype.kind not in "fV":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    data = K.widen(input._data) if input._data.dtype.kind == "V" else input._data
    mantissa, exponent = np.frexp(data)
    mantissa = Function.variable(K.cast(mantissa, input._data.dtype))
    return return_types.frexp(mantissa, Function.variable(K.asarray(exponent, np.int32)))


class FloatMethods:
    signbit, isposinf, isneginf, nextafter, frexp = signbit, isposinf, isneginf, nextafter, frexp
    nextafter_ = inplace(nextafter)
