"""Arithmetic of two operands, with broadcasting and promotion."""

from __future__ import annotations

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import LOW_PRECISION, float32
from ..core.function import Function, called
from ..core.variable import Variable
from ..core.warned import warn_once
from ._arguments import number_first, refuse_gradient
from ._common import (
    Broadcasting,
    Zeros,
    broadcast_shapes,
    fitting,
    is_number,
    promote,
    require_tensor,
    result_type,
    to_dtype,
    to_float,
)
from ._half import beside_half, in_half, is_half
from ._inplace import inplace, overwriting
from ._operators import numbers_and_tensors, reflected
from ._refusals import kind_of, refuse_bool_alpha, refuse_bool_subtraction, refuse_zero_divisor
from .rounding import Trunc


class Binary(Broadcasting):
    """A Broadcasting op of two operands."""


class Add(Binary):
    @staticmethod
    def forward(ctx, a, b):
        return K.plus(a, b)

    @staticmethod
    def backward(ctx, g):
        return g, g


class Sub(Binary):
    @staticmethod
    def forward(ctx, a, b):
        return K.minus(a, b)

    @staticmethod
    def backward(ctx, g):
        need_a, need_b = ctx.needs_input_grad
        return g if need_a else None, K.negative(g) if need_b else None


class Mul(Binary):
    @staticmethod
    def forward(ctx, a, b):
        need_a, need_b = ctx.needs_input_grad
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return K.times(a, b)

    @staticmethod
    def backward(ctx, g):  # d(ab) = b da + a db
        a, b = ctx.saved
        return None if b is None else K.times(g, b), None if a is None else K.times(g, a)


class Div(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a if ctx.needs_input_grad[1] else None, b)
        return K.over(a, b)

    @staticmethod
    def backward(ctx, g):  # d(a/b) = da/b - (a/b)/b db
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return K.over(g, b) if need_a else None, K.times(K.over(K.over(a, b), b), -g) if need_b else None


class Remainder(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(*((a, b) if ctx.needs_input_grad[1] else (None, None)))
        return K.remainder(a, b)

    @staticmethod
    def backward(ctx, g):  # a % b = a - b floor(a/b)
        a, b = ctx.saved
        return g, K.times(K.negative(g), FloorQuotient.apply(a, b)) if ctx.needs_input_grad[1] else None


class Fmod(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(*((a, b) if ctx.needs_input_grad[1] else (None, None)))
        return K.fmod(a, b)

    @staticmethod
    def backward(ctx, g):  # fmod(a, b) = a - b trunc(a/b)
        a, b = ctx.saved
        return g, K.times(K.negative(g), Trunc.apply(K.over(a, b))) if ctx.needs_input_grad[1] else None


class FloorDivide(Binary):
    @staticmethod
    def forward(ctx, a, b):
        return K.floor_divide(a, b)

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("derivative for aten::floor_divide is not implemented")


class FloorQuotient(FloorDivide):
    """div(rounding_mode="floor"): torch gives this form of the same function a slope, 0."""

    torch_name = "DivBackward1"

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g), Zeros.apply(g)


class TruncQuotient(FloorQuotient):
    @staticmethod
    def forward(ctx, a, b):
        return K.trunc(K.over(a, b))


class Maximum(Binary):
    choose = staticmethod(K.maximum)

    @classmethod
    def forward(cls, ctx, a, b):
        ctx.save_for_backward(a, b)
        return cls.choose(a, b)

    @classmethod
    def backward(cls, ctx, g):  # to the one that was chosen, half to each where they are equal
        a, b = ctx.saved
        first, second = (a > b, b > a) if cls is Maximum else (a < b, b < a)
        half = g / 2
        equal = a == b
        return (
            Where.apply(equal, half, Where.apply(second, 0.0, g)),
            Where.apply(equal, half, Where.apply(first, 0.0, g)),
        )

    @classmethod
    def fused_backward(cls, ctx, g):
        a, b = ctx.saved
        grads = K.maximum_grad(g, a, b), K.maximum_grad(g, b, a)
        return grads if cls is Maximum else grads[::-1]


class Minimum(Maximum):
    choose = staticmethod(K.minimum)


class Atan2(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.arctan2(a, b)

    @staticmethod
    def backward(ctx, g):  # d atan2(a, b) = (b da - a db) / (a^2 + b^2)
        a, b = ctx.saved
        norm = a * a + b * b
        scale = Where.apply(norm == 0, 0.0, g / norm)
        return scale * b, -scale * a


class Where(Broadcasting):
    """condition ? a : b, element by element; all three broadcast."""

    @staticmethod
    def forward(ctx, condition, a, b):
        ctx.save_constants(condition)
        return K.choose(condition, a, b)

    @staticmethod
    def backward(ctx, g):
        (condition,) = ctx.constants
        _, need_a, need_b = ctx.needs_input_grad
        return (
            None,
            Where.apply(condition, g, 0.0) if need_a else None,
            Where.apply(condition, 0.0, g) if need_b else None,
        )


def add(input, other, last=None, *, alpha=1):
    """input + alpha * other, broadcast. (torch's old form, which still runs: add(input, alpha, other).)"""
    if last is not None:
        other, alpha = number_first("add", other, last)
    input, other = promote("add", input, other)
    if is_half(input) or is_half(other):
        return _in_halves(add, input, other, alpha)
    return Add.apply(input, _scaled("add", input, other, alpha))


def sub(input, other, last=None, *, alpha=1):
    """input - alpha * other, broadcast. Not for bools. (As add, sub(input, alpha, other) still runs.)"""
    if last is not None:
        other, alpha = number_first("sub", other, last)
    refuse_bool_subtraction(input, other)
    input, other = promote("sub", input, other)
    if is_half(input) or is_half(other):
        return _in_halves(sub, input, other, alpha)
    return Sub.apply(input, _scaled("sub", input, other, alpha))


def rsub(input, other, *, alpha=1):
    """other - alpha * input."""
    require_tensor("rsub", input)
    return called("RsubBackward1", sub(other, input, alpha=alpha))


def mul(input, other):
    """input * other, broadcast."""
    return Mul.apply(*promote("mul", input, other))


def div(input, other, *, rounding_mode=None):
    """input / other, broadcast; integers give the default floating dtype. rounding_mode: None, 'trunc' or 'floor'."""
    if rounding_mode is None and not (isinstance(input, Variable) and isinstance(other, Variable)):
        input, other = to_float(input), to_float(other)  # before the number takes the tensor's dtype: -2 fits no uint8
    input, other = promote("div", input, other)
    if rounding_mode == "floor":
        refuse_zero_divisor(input, other)
        return FloorQuotient.apply(input, other)
    if rounding_mode == "trunc":
        if is_half(input) and is_half(other):  # the quotient is rounded before
            return Trunc.apply(Div.apply(input, other))
        if any(kind_of(x) in ("f", "V") for x in (input, other)):
            return TruncQuotient.apply(input, other)
        refuse_zero_divisor(input, other)
        return _trunc_divide_integers(input, other)
    if rounding_mode is not None:
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}"
        )
    return Div.apply(to_float(input), to_float(other))


def floor_divide(input, other):
    """floor(input / other), broadcast; integer zero division raises RuntimeError."""
    if not isinstance(input, Variable):
        input, other = beside_half(input, other)
    input, other = promote("floor_divide", input, other)
    refuse_zero_divisor(input, other)
    return FloorDivide.apply(input, other)


def remainder(input, other):
    """input - other * floor(input / other): Python's %, the sign is the divisor's."""
    input, other = promote("remainder", *beside_half(input, other))
    refuse_zero_divisor(input, other)
    return Remainder.apply(input, other)


def fmod(input, other):
    """C's fmod: the sign is the dividend's."""
    input, other = promote("fmod", *beside_half(input, other))
    refuse_zero_divisor(input, other)
    return Fmod.apply(input, other)


def maximum(input, other):
    """The larger of two tensors, element by element; NaN wins."""
    require_tensor("maximum", other, "other", 2)
    return Maximum.apply(*promote("maximum", input, other))


def minimum(input, other):
    """The smaller of two tensors, element by element; NaN wins."""
    require_tensor("minimum", other, "other", 2)
    return Minimum.apply(*promote("minimum", input, other))


def atan2(input, other):
    """The angle of the point (other, input), in (-pi, pi]."""
    require_tensor("atan2", other, "other", 2)
    input, other = promote("atan2", input, other)
    return Atan2.apply(to_float(input), to_float(other))


def where(condition, input=None, other=None):
    """input where condition, else other; all broadcast. With the condition alone: nonzero(as_tuple=True)."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    require_tensor("where", condition, "condition")
    if condition._data.dtype.kind != "b":
        if condition._data.dtype.kind == "u":
            warn_once(
                "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future "
                "version of PyTorch. Use a boolean condition instead."
            )
            condition = to_dtype(condition, K.bool)
        else:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype.torch_type}"
            )
    if is_number(input) and is_number(other):
        input = Function.as_tensor(K.full_like(condition._data, input, result_type(input, other).numpy, shape=()))
    if is_number(input) != is_number(other) and (dtype := result_type(input, other).numpy) not in LOW_PRECISION:
        input, other = (fitting(x, dtype) if is_number(x) else x for x in (input, other))
    input, other = promote("where", input, other)
    shapes = (x._data.shape for x in (condition, input, other) if isinstance(x, Variable))
    broadcast_shapes("where", *shapes)
    return Where.apply(condition, input, other)


def _in_halves(function, input, other, alpha):
    """add or sub in half precision: a number takes the tensor's dtype first, and so does alpha, as torch has it."""
    if isinstance(alpha, bool):
        refuse_bool_alpha(input, other)
    half = (input if isinstance(input, Variable) else other)._data.dtype
    alpha = fitting(alpha, half)
    input, other, alpha = (x if isinstance(x, Variable) else in_half(x, half) for x in (input, other, alpha))
    if alpha == 1:
        return (Add if function is add else Sub).apply(input, other)
    wide = (to_dtype(x, float32.numpy) if isinstance(x, Variable) else x for x in (input, other))
    return to_dtype(function(*wide, alpha=alpha), half)


def _scaled(op, input, other, alpha):
    """alpha * other, in the dtype of the sum."""
    if isinstance(alpha, bool):
        refuse_bool_alpha(input, other)
    refuse_gradient(op, "alpha", alpha)
    if alpha == 1:
        return other
    if isinstance(alpha, float) and all(kind_of(x) in ("i", "u", "b", "") for x in (input, other)):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    fitting(alpha, result_type(input, other).numpy)
    if isinstance(other, Variable):
        return to_dtype(mul(other, alpha), other._data.dtype)
    return promote(op, input, other * alpha)[1]


def _trunc_divide_integers(input, other):
    quotient = FloorDivide.apply(input, other)
    remainder_ = Remainder.apply(input, other)
    a, b = (x._data if isinstance(x, Variable) else x for x in (input, other))
    rounded_up = ((a < 0) != (b < 0)) & (remainder_._data != 0)  # where floor and trunc differ
    return quotient + Function.as_tensor(K.asarray(rounded_up, quotient._data.dtype))


def _under(input, other):
    """other / input as torch's reflected operator has it: by the reciprocal, which is rounded first."""
    known = isinstance(other, Variable | np.ndarray) or is_number(other)
    return div(1, input) * other if known else NotImplemented


listed(globals())


class ArithmeticMethods:
    add, sub, mul, div = add, sub, mul, div
    subtract, multiply, divide, true_divide = sub, mul, div, div
    floor_divide, remainder, fmod, maximum, minimum = floor_divide, remainder, fmod, maximum, minimum
    atan2_ = arctan2_ = inplace(atan2)
    atan2 = arctan2 = atan2
    add_, sub_ = overwriting(inplace(add), K.plus_into, True), overwriting(inplace(sub), K.minus_into, True)
    mul_, div_ = overwriting(inplace(mul), K.times_into), overwriting(inplace(div), K.over_into)
    subtract_, multiply_, divide_, true_divide_ = sub_, mul_, div_, div_
    floor_divide_, remainder_, fmod_ = inplace(floor_divide), inplace(remainder), inplace(fmod)

    __add__ = __radd__ = numbers_and_tensors(add)
    __mul__ = __rmul__ = numbers_and_tensors(mul)
    __sub__, __rsub__ = numbers_and_tensors(sub), numbers_and_tensors(rsub)
    __truediv__ = numbers_and_tensors(div)
    __rtruediv__ = __rdiv__ = _under
    __floordiv__, __rfloordiv__ = numbers_and_tensors(floor_divide), reflected(floor_divide)
    __mod__, __rmod__ = numbers_and_tensors(remainder), reflected(remainder)
    __iadd__, __isub__, __imul__ = map(numbers_and_tensors, (add_, sub_, mul_))
    __itruediv__, __ifloordiv__, __imod__ = map(numbers_and_tensors, (div_, floor_divide_, remainder_))

    def where(self, condition, other):
        """self where condition, else other."""
        return where(condition, self, other)
