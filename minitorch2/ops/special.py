"""Special functions, and functions of two operands that are rarer than arithmetic."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Elementwise, Function
from ..core.variable import Variable
from ._common import Zeros, element, is_number, promote, require_tensor, result_type, to_dtype, to_float, two_floats
from ._half import once_in_half
from ._inplace import inplace
from ._refusals import kind_of
from .arithmetic import Binary, Where, mul
from .linalg import norm
from .powers import pow
from .rounding import sign
from .trigonometry import Cos, Sin
from .unary import Exp, Exp2, Log

_LOG2 = math.log(2)


class Logaddexp(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.logaddexp(a, b)

    @staticmethod
    def backward(ctx, g):  # the slopes are softmax(a, b)
        a, b = ctx.saved
        return g / (1 + Exp.apply(b - a)), g / (1 + Exp.apply(a - b))

    @staticmethod
    def fused_backward(ctx, g):
        a, b = ctx.saved
        return K.logaddexp_grad(g, a, b), K.logaddexp_grad(g, b, a)


class Logaddexp2(Binary):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.logaddexp2(a, b)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved
        return g / (1 + Exp2.apply(b - a)), g / (1 + Exp2.apply(a - b))


class Hypot(Binary):
    @staticmethod
    def forward(ctx, a, b):
        y = K.hypot(a, b)
        ctx.save_for_backward(a, b, y)
        return y

    @staticmethod
    def backward(ctx, g):  # d hypot = (a da + b db) / hypot
        a, b, y = ctx.saved
        return g * (a / y), g * (b / y)

    @staticmethod
    def fused_backward(ctx, g):
        a, b, y = ctx.saved
        return K.hypot_grad(g, a, y), K.hypot_grad(g, b, y)


class Xlogy(Binary):
    """a log b, and 0 where a is 0 (but for b NaN)."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.where((a == 0) & (b == b), a * 0, a * K.log(b))

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        grad_a = g * Where.apply((a == 0) & (b <= 0), 0.0, Log.apply(b)) if need_a else None
        return grad_a, g * a / b if need_b else None


class Fmax(Binary):
    """The larger of two; the other one where one is NaN."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_constants((a >= b) | (b != b))
        return K.fmax(a, b)

    @staticmethod
    def backward(ctx, g):
        (first,) = ctx.constants
        return Where.apply(first, g, 0.0), Where.apply(first, 0.0, g)


class Fmin(Fmax):
    """The smaller of two; the other one where one is NaN."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_constants((a <= b) | (b != b))
        return K.fmin(a, b)


class Copysign(Binary):
    flat = (0, 1)

    @staticmethod
    def forward(ctx, a, b):
        y = K.copysign(a, b)
        if ctx.needs_input_grad[0]:
            ctx.save_constants(K.where(a == 0, 0, y / a).astype(a.dtype))
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.constants[0] if ctx.needs_input_grad[0] else None, Zeros.apply(g)


class Sinc(Elementwise):
    """sin(pi x) / (pi x), 1 at 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        angle = x * math.pi
        return K.where(x == 0, K.ones_like(x), K.sin(angle) / angle)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        angle = x * math.pi
        slope = (angle * Cos.apply(angle) - Sin.apply(angle)) / (angle * x)
        return g * Where.apply(angle * x == 0, 0.0, slope)  # which is 0 of the smallest numbers, too


class Logit(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.logit(x)

    @staticmethod
    def backward(ctx, g):  # nan outside (0, 1), where there is no logit
        (x,) = ctx.saved
        return Where.apply((x < 0) | (x > 1), math.nan, g / (x * (1 - x)))

    @staticmethod
    def fused_backward(ctx, g):
        return K.logit_grad(g, *ctx.saved)


class Erfinv(Elementwise):
    @staticmethod
    def forward(ctx, x):
        y = K.erfinv(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):  # 1 / erf'(y)
        (y,) = ctx.saved
        return g * (math.sqrt(math.pi) / 2 * Exp.apply(y * y))


class Lgamma(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.lgamma(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Digamma.apply(x)


class Digamma(Elementwise):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.digamma(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Polygamma.apply(1, x)


class Polygamma(Elementwise):
    @staticmethod
    def forward(ctx, n, x):
        ctx.save_for_backward(x)
        ctx.n = n
        return K.polygamma(n, x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return None, g * Polygamma.apply(ctx.n + 1, x)


def logaddexp(input, other):
    """log(exp(input) + exp(other)), without overflow."""
    return Logaddexp.apply(*two_floats("logaddexp", input, other))


def logaddexp2(input, other):
    """log2(2 ** input + 2 ** other), without overflow."""
    return Logaddexp2.apply(*two_floats("logaddexp2", input, other))


def hypot(input, other):
    """sqrt(input ** 2 + other ** 2), without overflow."""
    return Hypot.apply(*two_floats("hypot", input, other))


def fmax(input, other):
    """The larger of two tensors, element by element; where one is NaN, the other."""
    require_tensor("fmax", other, "other", 2)
    return Fmax.apply(*promote("fmax", input, other))


def fmin(input, other):
    """The smaller of two tensors, element by element; where one is NaN, the other."""
    require_tensor("fmin", other, "other", 2)
    return Fmin.apply(*promote("fmin", input, other))


def copysign(input, other):
    """|input| with the sign of other, a tensor or a number; -0.0 has one."""
    if not isinstance(other, Variable):
        input = to_float(input)
    input, other = promote("copysign", input, other)
    return Copysign.apply(to_float(input), to_float(other) if isinstance(other, Variable) else float(other))


def heaviside(input, values):
    """0 where input < 0, 1 where input > 0, `values` where it is 0. No gradient."""
    require_tensor("heaviside", values, "values", 2)
    if input._data.dtype != values._data.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    step = to_dtype(input > 0, input._data.dtype)
    return Where.apply(input == 0, values.detach(), step)


def sgn(input):
    """sign(input)."""
    return sign(input)


def sinc(input):
    """sin(pi input) / (pi input), 1 at 0."""
    return Sinc.apply(to_float(input))


def xlogy(input, other):
    """input * log(other), 0 where input is 0. One of the two may be a number."""
    return Xlogy.apply(*floats_or_number("xlogy", input, other))


def floats_or_number(op, input, other):
    """Both as tensors of one floating dtype; one of the two may be a number."""
    if not isinstance(input, Variable) and not isinstance(other, Variable):
        kinds = ", ".join(type(x).__name__ for x in (input, other))
        raise TypeError(f"{op}() received an invalid combination of arguments - got ({kinds}); one must be a Tensor")
    if is_number(input) or is_number(other):
        like, number = (other, input) if is_number(input) else (input, other)
        like = to_float(like)
        number = Function.as_tensor(element(number, result_type(like, number).numpy))
        input, other = (number, like) if is_number(input) else (like, number)
    input, other = promote(op, input, other)
    return to_float(input), to_float(other)


@once_in_half
def logit(input, eps=None):
    """log(input / (1 - input)), the inverse of sigmoid; eps: input is first limited to [eps, 1 - eps]."""
    input = to_float(input)
    return Logit.apply(input if eps is None else input.clamp(eps, 1 - eps))


def erfinv(input):
    """The x with erf(x) = input; inf at 1."""
    return Erfinv.apply(to_float(input))


def lgamma(input):
    """log |gamma(input)|."""
    return Lgamma.apply(to_float(input))


def digamma(input):
    """The derivative of lgamma."""
    return Digamma.apply(to_float(input))


def polygamma(n, input):
    """The n-th derivative of digamma."""
    if isinstance(n, Variable):  # the method: x.polygamma(n)
        n, input = input, n
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else Polygamma.apply(n, to_float(input))


def deg2rad(input):
    """Degrees to radians."""
    return to_float(input) * (math.pi / 180)


def rad2deg(input):
    """Radians to degrees."""
    return to_float(input) * (180 / math.pi)


def float_power(input, exponent):
    """input ** exponent, in float64."""
    input, exponent = (to_dtype(x, np.dtype(np.float64)) if isinstance(x, Variable) else x for x in (input, exponent))
    return pow(input, exponent)


def float_power_(self, exponent):
    """In-place float_power, of a float64 tensor."""
    if self._data.dtype != np.float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.torch_type} but the operation's result "
            "requires "
            "dtype Double"
        )
    return inplace(float_power)(self, exponent)


def ldexp(input, other):
    """input * 2 ** other."""
    require_tensor("ldexp", input)
    require_tensor("ldexp", other, "other", 2)
    scaled = mul(input, pow(2.0, to_float(other)))
    keeps = kind_of(input) in ("f", "V") and kind_of(other) in ("i", "u", "b")
    return to_dtype(scaled, input._data.dtype) if keeps else scaled


def dist(input, other, p=2):
    """The p-norm of input - other."""
    require_tensor("dist", input)
    require_tensor("dist", other, "other", 2)
    return norm(input - other, p)


listed(globals())


class SpecialMethods:
    logaddexp, logaddexp2, hypot, fmax, fmin, copysign = logaddexp, logaddexp2, hypot, fmax, fmin, copysign
    heaviside, sgn, sinc, xlogy, logit, erfinv = heaviside, sgn, sinc, xlogy, logit, erfinv
    lgamma, digamma, polygamma = lgamma, digamma, polygamma
    deg2rad, rad2deg, float_power, ldexp, dist = deg2rad, rad2deg, float_power, ldexp, dist

    hypot_, copysign_, heaviside_, sgn_ = inplace(hypot), inplace(copysign), inplace(heaviside), inplace(sgn)
    sinc_, xlogy_, logit_, erfinv_ = inplace(sinc), inplace(xlogy), inplace(logit, of_several=True), inplace(erfinv)
    lgamma_, digamma_, polygamma_ = inplace(lgamma), inplace(digamma), inplace(polygamma)
    deg2rad_, rad2deg_, ldexp_ = inplace(deg2rad), inplace(rad2deg), inplace(ldexp)
    float_power_ = float_power_
