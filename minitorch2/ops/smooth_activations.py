"""Smooth activations, each with its slope written out."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Elementwise, Function
from .arithmetic import Where
from .unary import Erf, Sigmoid, Tanh
from .view_ops import Cat, Split

_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


class Gelu(Elementwise):
    """x Phi(x), Phi the normal distribution function."""

    @staticmethod
    def forward(ctx, x):
        y, phi = K.gelu(x)
        ctx.save_for_backward(x)
        ctx.save_constants(phi)
        return y

    @staticmethod
    def backward(ctx, g):  # Phi(x) + x phi(x)
        (x,) = ctx.saved
        return K.gelu_grad(g, x, *ctx.constants)

    @staticmethod
    def composed(x):
        return x * (Erf.apply(x * _SQRT_HALF) + 1) * 0.5


class GeluTanh(Elementwise):
    """x (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3): Gelu, nearly."""

    torch_name = "GeluBackward0"

    @staticmethod
    def forward(ctx, x):
        y, t = K.gelu_tanh(x)
        ctx.save_for_backward(x)
        ctx.save_constants(t)
        return y

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return K.gelu_tanh_grad(g, x, *ctx.constants)

    @staticmethod
    def composed(x):
        return x * (Tanh.apply(_SQRT_2_OVER_PI * (x + _CUBIC * x * x * x)) + 1) * 0.5


class Silu(Elementwise):
    """x sigmoid(x)"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.silu(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        s = Sigmoid.apply(x)
        return g * (s * (1 + x * (1 - s)))

    @staticmethod
    def fused_backward(ctx, g):
        return K.silu_grad(g, *ctx.saved)


class Mish(Elementwise):
    """x tanh(softplus(x))"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * K.tanh(K.softplus(x, 1.0, 20.0))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        t = Tanh.apply(Softplus.apply(x, 1.0, 20.0))
        return g * (t + x * Sigmoid.apply(x) * (1 - t * t))


class Softplus(Elementwise):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""

    @staticmethod
    def forward(ctx, x, beta, threshold):
        ctx.save_for_backward(x)
        ctx.beta, ctx.threshold = beta, threshold
        return K.softplus(x, beta, threshold)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        z = x * ctx.beta
        return Where.apply(z > ctx.threshold, g, g * Sigmoid.apply(z)), None, None

    @staticmethod
    def fused_backward(ctx, g):
        return K.softplus_grad(g, *ctx.saved, ctx.beta, ctx.threshold), None, None


class Glu(Function):
    """a sigmoid(b), a and b the halves along `dim`."""

    elementwise = True  # in that it lies as its input does

    @staticmethod
    def forward(ctx, x, dim):
        ctx.save_for_backward(x)
        ctx.dim = dim
        return K.glu(x, dim)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        a, b = Split.apply(x, (x.shape[ctx.dim] // 2,) * 2, ctx.dim)
        s = Sigmoid.apply(b)
        return Cat.apply(ctx.dim, g * s, g * a * (s * (1 - s))), None

    @staticmethod
    def fused_backward(ctx, g):
        return K.glu_grad(g, *ctx.saved, ctx.dim), None


class LogSigmoid(Elementwise):
    """log(sigmoid(x)) = min(x, 0) - log(1 + exp(-|x|))"""

    row_major = True

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.log_sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return g * Sigmoid.apply(-x)

    @staticmethod
    def fused_backward(ctx, g):
        return K.log_sigmoid_grad(g, *ctx.saved)
