"""Special functions of probability and information: the normal distribution's tails, entropies, gamma functions."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Elementwise, Function
from ._common import is_number, to_float, two_floats
from ._inplace import inplace
from .arithmetic import Binary, Where
from .bessel import i0
from .reduce import sum as sum_
from .special import Lgamma, floats_or_number
from .unary import Exp, Log, Log1p
from .views import unsqueeze

_ROOT_HALF = math.sqrt(0.5)


class Erfcx(Elementwise):
    torch_name = "SpecialErfcxBackward0"

    @staticmethod
    def forward(ctx, x):
        y = K.erfcx(x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):  # (exp(x^2) erfc(x))' = 2x exp(x^2) erfc(x) - 2 / sqrt(pi)
        x, y = ctx.saved
        return g * (2 * x * y - 2 / math.sqrt(math.pi))


class LogNdtr(Elementwise):
    torch_name = "SpecialLogNdtrBackward0"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log_ndtr(x)

    @staticmethod
    def backward(ctx, g):  # density / area = sqrt(2 / pi) / (exp(x^2 / 2) erfc(-x / sqrt(2)))
        (x,) = ctx.saved
        return g * (math.sqrt(2 / math.pi) / Erfcx.apply(x * -_ROOT_HALF))


class Ndtri(Elementwise):
    torch_name = "SpecialNdtriBackward0"

    @staticmethod
    def forward(ctx, p):
        y = K.ndtri(p)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # 1 / density
        (y,) = ctx.saved
        return g * (math.sqrt(2 * math.pi) * Exp.apply(y * y / 2))


class Entr(Elementwise):
    torch_name = "SpecialEntrBackward0"

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        y = -x * K.log(K.choose(x > 0, x, K.ones_like(x)))
        y = K.choose(x == 0, K.zeros_like(x), y)
        return K.choose(x < 0, K.full_like(x, -math.inf), K.choose(x != x, x, y))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * (-Log.apply(x) - 1)


class Xlog1py(Binary):
    """a log(1 + b), and 0 where a is 0 (but for b NaN)."""

    torch_name = "SpecialXlog1PyBackward0"

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.choose((a == 0) & (b == b), a * 0, a * K.log1p(b))

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        grad_a = g * Where.apply((a == 0) & (b <= -1), 0.0, Log1p.apply(b)) if need_a else None
        return grad_a, g * a / (b + 1) if need_b else None


class Igamma(Binary):
    """The regularised lower incomplete gamma function P(a, x)."""

    sign = 1

    @staticmethod
    def forward(ctx, a, x):
        ctx.save_for_backward(a, x)
        return K.gammainc(a, x)

    @classmethod
    def backward(cls, ctx, g):
        a, x = ctx.saved
        need_a, need_x = ctx.needs_input_grad
        if need_a:
            raise NotImplementedError(
                f"the derivative for '{cls.__name__.lower()}: input' is not implemented; that for `other` is"
            )
        if not need_x:
            return None, None
        return None, g * (cls.sign * Exp.apply((a - 1) * Log.apply(x) - x - Lgamma.apply(a)))


class Igammac(Igamma):
    """1 - P(a, x)."""

    sign = -1

    @staticmethod
    def forward(ctx, a, x):
        ctx.save_for_backward(a, x)
        return K.gammaincc(a, x)


def erfcx(input):
    """exp(input ** 2) erfc(input), which does not underflow."""
    return Erfcx.apply(to_float(input))


def log_ndtr(input):
    """The logarithm of the area under the standard normal density up to input."""
    return LogNdtr.apply(to_float(input))


def ndtri(input):
    """The x up to which the area under the standard normal density is input: the inverse of ndtr."""
    return Ndtri.apply(to_float(input))


def entr(input):
    """-input log(input), 0 at 0 and -inf below."""
    return Entr.apply(to_float(input))


def xlog1py(input, other):
    """input * log(1 + other), 0 where input is 0. One of the two may be a number."""
    if is_number(input) and is_number(other):
        raise TypeError("special_xlog1py(): one of 'input' and 'other' must be Tensor, got two numbers")
    return Xlog1py.apply(*floats_or_number("special_xlog1py", input, other))


def igamma(input, other):
    """The regularised lower incomplete gamma function P(input, other). As in torch it has no derivative by input."""
    return Igamma.apply(*two_floats("igamma", input, other))


def igammac(input, other):
    """1 - igamma(input, other), accurate where that is tiny."""
    return Igammac.apply(*two_floats("igammac", input, other))


def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of p dimensions."""
    if not isinstance(p, int):
        raise TypeError(f"mvlgamma(): argument 'p' (position 2) must be int, not {type(p).__name__}")
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = to_float(input)
    halves = Function.as_tensor((K.namespace(x._data).arange(p) / -2).astype(K.float64)).to(x.dtype)
    return sum_(Lgamma.apply(unsqueeze(x, -1) + halves), -1) + p * (p - 1) / 4 * math.log(math.pi)


class ProbabilityMethods:
    i0, igamma, igammac, mvlgamma = i0, igamma, igammac, mvlgamma
    i0_, igamma_, igammac_, mvlgamma_ = inplace(i0), inplace(igamma), inplace(igammac), inplace(mvlgamma)
