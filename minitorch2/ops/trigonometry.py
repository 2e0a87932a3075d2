"""The trigonometric and hyperbolic functions and their inverses, in radians."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Elementwise
from ._common import to_float
from ._inplace import inplace
from .unary import Rsqrt


class Sin(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.sin(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Cos.apply(x)


class Cos(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.cos(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * -Sin.apply(x)


class Tan(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.tan(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # tan' = 1 + tan^2
        (y,) = ctx.saved
        return g * (1 + y * y)


class Asin(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arcsin(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Rsqrt.apply(1 - x * x)


class Acos(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arccos(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return -g * Rsqrt.apply(1 - x * x)


class Atan(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arctan(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g / (x * x + 1)


class Sinh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.sinh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Cosh.apply(x)


class Cosh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.cosh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Sinh.apply(x)


class Asinh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arcsinh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Rsqrt.apply(x * x + 1)


class Acosh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arccosh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Rsqrt.apply(x * x - 1)


class Atanh(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.arctanh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g / (1 - x * x)


def sin(input):
    """The sine of input, in radians."""
    return Sin.apply(to_float(input))


def cos(input):
    """The cosine of input, in radians."""
    return Cos.apply(to_float(input))


def tan(input):
    """The tangent of input, in radians."""
    return Tan.apply(to_float(input))


def asin(input):
    """The inverse sine, in radians."""
    return Asin.apply(to_float(input))


def acos(input):
    """The inverse cosine, in radians."""
    return Acos.apply(to_float(input))


def atan(input):
    """The inverse tangent, in radians."""
    return Atan.apply(to_float(input))


def sinh(input):
    """The hyperbolic sine."""
    return Sinh.apply(to_float(input))


def cosh(input):
    """The hyperbolic cosine."""
    return Cosh.apply(to_float(input))


def asinh(input):
    """The inverse hyperbolic sine."""
    return Asinh.apply(to_float(input))


def acosh(input):
    """The inverse hyperbolic cosine."""
    return Acosh.apply(to_float(input))


def atanh(input):
    """The inverse hyperbolic tangent."""
    return Atanh.apply(to_float(input))


class TrigonometryMethods:
    sin, cos, tan, asin, acos, atan = sin, cos, tan, asin, acos, atan
    sinh, cosh, asinh, acosh, atanh = sinh, cosh, asinh, acosh, atanh
    arcsin, arccos, arctan = asin, acos, atan
    arcsinh, arccosh, arctanh = asinh, acosh, atanh
    sin_, cos_, tan_, asin_, acos_, atan_ = (inplace(f) for f in (sin, cos, tan, asin, acos, atan))
    sinh_, cosh_, asinh_, acosh_, atanh_ = (inplace(f) for f in (sinh, cosh, asinh, acosh, atanh))
    arcsin_, arccos_, arctan_, arcsinh_, arccosh_, arctanh_ = asin_, acos_, atan_, asinh_, acosh_, atanh_
