"""Powers: tensor ** tensor, tensor ** number, number ** tensor."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Elementwise
from ..core.variable import Variable
from ._common import Zeros, fitting, is_number, promote, result_type
from ._half import beside_half, in_half, is_half
from ._inplace import inplace
from ._operators import numbers_and_tensors, reflected
from .arithmetic import Binary, Where
from .unary import Log


class Pow(Binary):
    """tensor ** tensor"""

    torch_name = "PowBackward1"

    @staticmethod
    def forward(ctx, a, b):
        y = K.power(a, b) if b.dtype.kind == "f" else _integer_power(a, b)
        ctx.save_for_backward(a, b, y)
        return y

    @staticmethod
    def backward(ctx, g):  # d(a^b) = b a^(b-1) da + a^b log(a) db; at b = 0 and at 0^b the slope is 0
        a, b, y = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        grad_a = Where.apply(b == 0, 0.0, g * (b * a ** (b - 1))) if need_a else None
        grad_b = g * Where.apply((a == 0) & (b >= 0), 0.0, y * Log.apply(a)) if need_b else None
        return grad_a, grad_b


def _integer_power(a, b):
    """a**b for integers; for b < 0 that is 0, except where a is 1 or -1."""
    y = K.power(a, K.maximum(b, 0))
    if K.on_device(b) or (b < 0).any():  # a GPU would have to be waited for
        sign = K.where(b % 2 == 0, 1, a)
        y = K.where(b < 0, K.where((a == 1) | (a == -1), sign, 0), y).astype(y.dtype, copy=False)
    return y


# Exponents for which torch has no power computed; the numbers are its own then, to the last bit.
_POWERS = {
    2: lambda a: K.times(a, a),
    3: K.cube,
    -1: K.reciprocal,
    -2: lambda a: 1 / K.square(a),
    0.5: K.square_root,
    -0.5: K.reciprocal_square_root,
}


class PowNumber(Elementwise):
    """tensor ** number"""

    torch_name = "PowBackward0"

    @staticmethod
    def forward(ctx, a, exponent):
        ctx.save_for_backward(a, exponent)
        of_its_own = _POWERS.get(exponent)
        return K.power(a, exponent) if of_its_own is None else of_its_own(a)

    @staticmethod
    def backward(ctx, g):  # d(a^n) = n a^(n-1) da
        a, n = ctx.saved
        if n == 0:
            return Zeros.apply(g), None
        return K.times(g, K.times(a if n == 2 else PowNumber.apply(a, n - 1), n)), None


class NumberPow(Elementwise):
    """number ** tensor"""

    torch_name = "PowBackward1"

    @staticmethod
    def forward(ctx, base, b):
        a = b.dtype.type(base)
        y = K.power(a, b) if b.dtype.kind == "f" else _integer_power(a, b)
        ctx.save_for_backward(base, b, y)
        return y

    @staticmethod
    def backward(ctx, g):  # d(c^b) = c^b log(c) db; 0^b is flat for b >= 0
        base, b, y = ctx.saved
        if base == 0:
            return None, g * Where.apply(b >= 0, 0.0, y * -math.inf)
        return None, g * (y * (math.log(base) if base > 0 else math.nan))


def pow(input, exponent):
    """input ** exponent, broadcast; either may be a number."""
    if not isinstance(input, Variable) and is_number(input) and isinstance(exponent, Variable):
        exponent, input = promote("pow", exponent, input)
        if exponent._data.dtype.kind == "b":
            _refuse_bool()
        return NumberPow.apply(*beside_half(input, exponent))
    integer = isinstance(input, Variable) and input._data.dtype.kind in "biu"
    if (
        integer
        and is_number(exponent)
        and not isinstance(exponent, float)
        and exponent < 0
        and exponent == int(exponent)
    ):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    if integer and isinstance(exponent, int):
        fitting(exponent, result_type(input, exponent).numpy)
    input, exponent = promote("pow", input, exponent)
    if input._data.dtype.kind == "b":
        if isinstance(exponent, Variable):
            _refuse_bool()
        return input.clone() if exponent else input.new_ones(input._data.shape)
    if is_number(exponent) and is_half(input):  # a number takes the tensor's dtype first
        exponent = in_half(fitting(exponent, input._data.dtype), input._data.dtype)
    return (Pow if isinstance(exponent, Variable) else PowNumber).apply(input, exponent)


def _refuse_bool():
    raise NotImplementedError("\"pow\" not implemented for 'Bool'; convert with .int()")


class PowerMethods:
    pow, pow_ = pow, inplace(pow)
    __pow__, __rpow__ = numbers_and_tensors(pow), reflected(pow)
    __ipow__ = numbers_and_tensors(pow_)
