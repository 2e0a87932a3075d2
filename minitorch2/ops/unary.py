"""Functions of one operand, element by element."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.dtypes import int64
from ..core.function import Elementwise
from ._common import require_tensor, to_float
from ._inplace import inplace, overwrite
from .clamping import ClampMethods
from .relu import Relu
from .rounding import Sign

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


class Neg(Elementwise):
    @staticmethod
    def forward(ctx, x):
        return K.negative(x)

    @staticmethod
    def backward(ctx, g):
        return K.negative(g)


class Abs(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.absolute(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Sign.apply(x)

    @staticmethod
    def fused_backward(ctx, g):
        return K.absolute_grad(g, *ctx.saved)


class Exp(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # exp' = exp
        (y,) = ctx.saved
        return K.times(g, y)


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
        return K.over(g, x)


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

    @staticmethod
    def fused_backward(ctx, g):
        return K.log1p_grad(g, *ctx.saved)


class Sqrt(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.square_root(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # sqrt' = 1/(2 sqrt)
        (y,) = ctx.saved
        return K.over(g, K.times(y, 2))


class Rsqrt(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.reciprocal_square_root(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (x^-1/2)' = -1/2 y^3
        (y,) = ctx.saved
        return K.times(K.times(g, -0.5), K.times(K.times(y, y), y))


class Reciprocal(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.reciprocal(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # (1/x)' = -1/x^2
        (y,) = ctx.saved
        return K.times(K.negative(g), K.times(y, y))


class Square(Elementwise):
    torch_name = "PowBackward0"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.times(x, x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return K.times(g, K.times(x, 2))


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


class UnaryMethods(ClampMethods):
    neg, negative, positive, abs, absolute = neg, neg, positive, abs, abs
    exp, expm1, exp2 = exp, expm1, exp2
    log, log2, log10, log1p, sqrt, rsqrt, reciprocal = log, log2, log10, log1p, sqrt, rsqrt, reciprocal
    square, tanh, sigmoid, erf, erfc, relu = square, tanh, sigmoid, erf, erfc, relu
    __neg__, __pos__, __abs__ = neg, positive, abs

    neg_, abs_, exp_, expm1_ = inplace(neg), inplace(abs), inplace(exp), inplace(expm1)
    exp2_, log_, log2_, log10_, log1p_ = inplace(exp2), inplace(log), inplace(log2), inplace(log10), inplace(log1p)
    sqrt_, rsqrt_, reciprocal_, square_ = inplace(sqrt), inplace(rsqrt), inplace(reciprocal), inplace(square)
    tanh_, sigmoid_, erf_, erfc_, relu_ = inplace(tanh), inplace(sigmoid), inplace(erf), inplace(erfc), relu_
    negative_, absolute_ = neg_, abs_
