"""Integer arithmetic of two operands: shifts, gcd, lcm. No gradients here."""

from __future__ import annotations

from typing import Any

import minitorch2_kernels as K

from ..core.function import Function
from ..core.variable import Variable
from ._common import broadcast_shapes, promote
from ._inplace import inplace
from ._operators import numbers_and_tensors, reflected


def bitwise_left_shift(input, other):
    """input * 2 ** other for integers; 0 where other is negative or no smaller than the width."""
    return _shift("lshift", K.left_shift, input, other, lambda a: a * 0)


def bitwise_right_shift(input, other):
    """input / 2 ** other for integers, rounded down; other too large leaves 0, or -1 of a negative number."""
    return _shift(
        "rshift",
        K.right_shift,
        input,
        other,
        lambda a: -(a < 0).astype(a.dtype) if a.dtype.kind == "i" else a * 0,
    )


def _shift(name, shift, input, other, beyond):
    a, b = _integers(name, input, other)
    like = (a if isinstance(a, Variable) else b)._data
    width = like.itemsize * 8
    a, b = (x._data if isinstance(x, Variable) else K.full_like(like, x, shape=()) for x in (a, b))
    inside = (b >= 0) & (b < width)
    return Function.as_tensor(K.asarray(K.where(inside, shift(a, K.where(inside, b, 0)), beyond(a)), a.dtype))


def gcd(input, other):
    """The greatest common divisor, never negative."""
    a, b = _integers("gcd", input, other)
    return Function.as_tensor(K.gcd(a._data, b._data))


def lcm(input, other):
    """The least common multiple, never negative; 0 with 0."""
    a, b = _integers("lcm", input, other)
    return Function.as_tensor(K.lcm(a._data, b._data))


def _integers(name, input, other) -> tuple[Any, Any]:
    a, b = promote(name, input, other)
    broadcast_shapes(name, *(x._data.shape for x in (a, b) if isinstance(x, Variable)))
    for x in (a, b):
        kind = x._data.dtype.kind if isinstance(x, Variable) else "f" if isinstance(x, float) else "i"
        if kind not in "iu":
            word = x.dtype.torch_type if isinstance(x, Variable) else "Float"
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{word}'; it takes integers")
    return a, b


class IntegerMethods:
    bitwise_left_shift, bitwise_right_shift, gcd, lcm = bitwise_left_shift, bitwise_right_shift, gcd, lcm
    bitwise_left_shift_, bitwise_right_shift_ = inplace(bitwise_left_shift), inplace(bitwise_right_shift)
    gcd_, lcm_ = inplace(gcd), inplace(lcm)
    __lshift__, __rlshift__ = numbers_and_tensors(bitwise_left_shift), reflected(bitwise_left_shift)
    __rshift__, __rrshift__ = numbers_and_tensors(bitwise_right_shift), reflected(bitwise_right_shift)
    __ilshift__, __irshift__ = map(numbers_and_tensors, (bitwise_left_shift_, bitwise_right_shift_))
