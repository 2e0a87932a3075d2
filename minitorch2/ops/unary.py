"""Functions of one operand, element by element."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.dtypes import get_default_dtype, int64
from ..core.function import Elementwise
from ..core.variable import Variable
from ._common import element, require_tensor, result_type, to_dtype, to_float
from ._inplace import inplace, overwrite
from .relu import Relu
from .rounding import Sign

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


class Neg(Elementwise):
    @staticmethod
    def forward(ctx, x):
        return -x

    @staticmethod
    def backward(ctx, g):
        return -g


class Abs(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.abs(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Sign.apply(x)


class Exp(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # exp' = exp
        (y,) = ctx.saved
        return g * y


class Expm1(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.expm1(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (e^x - 1)' = e^x
        (y,) = ctx.saved
        return g * (y + 1)


class Exp2(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.exp2(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (2^x)' = 2^x ln 2
        (y,) = ctx.saved
        return g * (y * math.log(2))


class Log(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log(x)

    @staticmethod
    def backward(ctx, g):  # log' = 1/x
        (x,) = ctx.saved
        return g / x


class Log2(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log2(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g / (x * math.log(2))


class Log10(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log10(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g / (x * math.log(10))


class Log1p(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log1p(x)

    @staticmethod
    def backward(ctx, g):  # log(1+x)' = 1/(1+x)
        (x,) = ctx.saved
        return g / (x + 1)


class Sqrt(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.sqrt(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # sqrt' = 1/(2 sqrt)
        (y,) = ctx.saved
        return g / (2 * y)


class Rsqrt(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = 1 / K.sqrt(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (x^-1/2)' = -1/2 y^3
        (y,) = ctx.saved
        return -0.5 * g * (y * y * y)


class Reciprocal(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = 1 / x
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (1/x)' = -1/x^2
        (y,) = ctx.saved
        return -g * (y * y)


class Square(Elementwise):
    torch_name = "PowBackward0"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * (2 * x)


class Tanh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # tanh' = 1 - tanh^2
        (y,) = ctx.saved
        return g * (1 - y * y)

    @staticmethod
    def fused_backward(ctx, g):
        return K.tanh_grad(g, *ctx.saved)


class Sigmoid(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.sigmoid(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # s' = s (1 - s)
        (y,) = ctx.saved
        return g * (y * (1 - y))

    @staticmethod
    def fused_backward(ctx, g):
        return K.sigmoid_grad(g, *ctx.saved)


class Erf(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.erf(x)

    @staticmethod
    def backward(ctx, g):  # erf' = 2/sqrt(pi) exp(-x^2)
        (x,) = ctx.saved
        return g * (_TWO_OVER_SQRT_PI * Exp.apply(-(x * x)))


class Erfc(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.erfc(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * (-_TWO_OVER_SQRT_PI * Exp.apply(-(x * x)))


class Clamp(Elementwise):
    """min(max(x, low), high) for numbers; None is no bound."""

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        if x.dtype.kind == "f" and low == low and high == high:  # no NaN
            return K.hardtanh(x, -math.inf if low is None else low, math.inf if high is None else high)
        y = x if low is None else K.maximum(x, low)
        return y if high is None else K.minimum(y, high)

    @staticmethod
    def backward(ctx, g):  # passes where low <= x <= high
        (x,) = ctx.saved
        inside = True if ctx.low is None else x >= ctx.low
        if ctx.high is not None:
            inside = (x <= ctx.high) & inside
        return g * inside, None, None


class ClampBetween(Elementwise):
    """min(max(x, low), high) for arrays that broadcast; None is no bound."""

    broadcasts = True
    torch_name = "ClampBackward0"

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x, low, high)
        y = x if low is None else K.maximum(x, low)
        return y if high is None else K.minimum(y, high)

    @staticmethod
    def backward(ctx, g):  # to x where it lies between the bounds, else to the bound that was chosen
        x, low, high = ctx.saved
        if low is None:
            return g * (x <= high), None, g * (x > high)
        if high is None:
            return g * (x >= low), g * (x < low), None
        return g * ((x >= low) & (x <= high)), g * ((x < low) & (low < high)), g * ((x > high) | (high < low))


def neg(input):
    """-input. Not for bools."""
    require_tensor("neg", input)
    if input._data.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )
    return Neg.apply(input)


def positive(input):
    """+input."""
    require_tensor("positive", input)
    if input._data.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


def abs(input):
    """|input|, element by element."""
    if input._data.dtype.kind == "b":
        raise NotImplementedError("\"abs\" not implemented for 'Bool'; convert with .int() first")
    return Abs.apply(input)


def exp(input):
    """e to the power of input."""
    return Exp.apply(to_float(input))


def expm1(input):
    """exp(input) - 1, exact near 0."""
    return Expm1.apply(to_float(input))


def exp2(input):
    """2 to the power of input."""
    return Exp2.apply(to_float(input))


def log(input):
    """The natural logarithm: -inf at 0, nan below."""
    return Log.apply(to_float(input))


def log2(input):
    """The logarithm to base 2."""
    return Log2.apply(to_float(input))


def log10(input):
    """The logarithm to base 10."""
    return Log10.apply(to_float(input))


def log1p(input):
    """log(1 + input), exact near 0."""
    return Log1p.apply(to_float(input))


def sqrt(input):
    """The square root; nan below 0."""
    return Sqrt.apply(to_float(input))


def rsqrt(input):
    """1 / sqrt(input)."""
    return Rsqrt.apply(to_float(input))


def reciprocal(input):
    """1 / input."""
    return Reciprocal.apply(to_float(input))


def square(input):
    """input ** 2."""
    return Square.apply(input.to(int64) if input._data.dtype.kind == "b" else input)


def tanh(input):
    """The hyperbolic tangent."""
    return Tanh.apply(to_float(input))


def sigmoid(input):
    """1 / (1 + exp(-input))."""
    return Sigmoid.apply(to_float(input))


def erf(input):
    """The error function."""
    return Erf.apply(to_float(input))


def erfc(input):
    """1 - erf(input), accurate where that is tiny."""
    return Erfc.apply(to_float(input))


def relu(input):
    """max(input, 0)."""
    _refuse_bool(input)
    return Relu.apply(input)


def relu_(input):
    """In-place relu: writes the result into this tensor's memory and returns it."""
    _refuse_bool(input)
    return overwrite(Relu, input, name="relu")


def _refuse_bool(input):
    if input._data.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")


def clamp(input, min=None, max=None):
    """Limits input to [min, max]: numbers, or tensors that broadcast; one of the two may be missing."""
    require_tensor("clamp", input)
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, Variable) or isinstance(max, Variable):
        return _clamp_between_tensors(input, min, max)
    if input._data.dtype.kind in "biu":
        if isinstance(min, float) or isinstance(max, float):
            input = input.to(get_default_dtype())
        else:  # a bound is an element of input's dtype, in uint8 -1 is 255
            if input._data.dtype.kind == "b" and not isinstance(max if min is None else min, bool):
                input = input.to(int64)
            min, max = (x if x is None else element(x, input._data.dtype)[()] for x in (min, max))
    return Clamp.apply(input, min, max)


def _clamp_between_tensors(input, min, max):
    bounds = [x for x in (min, max) if x is not None]
    if not all(isinstance(x, Variable) for x in bounds):
        raise TypeError("clamp(): min and max must both be tensors or both be numbers")
    dtype = result_type(input, *bounds).numpy
    low, high = (x if x is None else to_dtype(x, dtype) for x in (min, max))
    return ClampBetween.apply(to_dtype(input, dtype), low, high)


def clamp_min(input, min):
    """max(input, min)."""
    return clamp(input, min=min)


def clamp_max(input, max):
    """min(input, max)."""
    return clamp(input, max=max)


class UnaryMethods:
    neg, negative, positive, abs, absolute = neg, neg, positive, abs, abs
    exp, expm1, exp2 = exp, expm1, exp2
    log, log2, log10, log1p, sqrt, rsqrt, reciprocal = log, log2, log10, log1p, sqrt, rsqrt, reciprocal
    square, tanh, sigmoid, erf, erfc, relu = square, tanh, sigmoid, erf, erfc, relu
    clamp, clip, clamp_min, clamp_max = clamp, clamp, clamp_min, clamp_max
    __neg__, __pos__, __abs__ = neg, positive, abs

    neg_, abs_, exp_, expm1_ = inplace(neg), inplace(abs), inplace(exp), inplace(expm1)
    exp2_, log_, log2_, log10_, log1p_ = inplace(exp2), inplace(log), inplace(log2), inplace(log10), inplace(log1p)
    sqrt_, rsqrt_, reciprocal_, square_ = inplace(sqrt), inplace(rsqrt), inplace(reciprocal), inplace(square)
    tanh_, sigmoid_, erf_, erfc_, relu_ = inplace(tanh), inplace(sigmoid), inplace(erf), inplace(erfc), relu_
    clamp_, clamp_min_, clamp_max_ = inplace(clamp), inplace(clamp_min), inplace(clamp_max)
    clip_, negative_, absolute_ = clamp_, neg_, abs_
