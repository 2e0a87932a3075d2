"""The formulas of compiled_formulas.py, of which share_loops.Formula makes loops. Importing this module imports numba.

A conditional expression is a choice of two numbers, both of which are computed: what is costly in one of them is worked
out before it, so that LLVM sees no branch there and uses the vector units."""

from __future__ import annotations

import numpy as np

from . import scalars
from .share_loops import Formula


@Formula
def negative(x):
    return -x


@Formula
def absolute(x):
    return abs(x)


@Formula
def absolute_grad(g, x):
    return g * (1 if x > 0 else -1 if x < 0 else 0)


@Formula
def square_root(x):
    return np.sqrt(x)


@Formula
def reciprocal_square_root(x):
    return 1 / np.sqrt(x)


@Formula
def reciprocal(x):
    return 1 / x


@Formula
def cube(x):
    return x * x * x


@Formula
def interpolated(a, b, *, weight):
    from_a, from_b = a + weight * (b - a), b + (weight - 1) * (b - a)
    return from_a if abs(weight) < 0.5 else from_b


@Formula
def masked_scale(x, mask, *, scale):
    y = x * scale
    return y if mask else y * 0


@Formula
def huber(x, *, delta):
    c = delta if x > delta else x
    c = -delta if c < -delta else c
    return c * (x - c * 0.5)


@Formula
def relu(x):
    return x if (x > 0) | (x != x) else 0


@Formula
def relu_grad(g, y):
    return g if y != 0 else 0


@Formula
def hardtanh(x, *, low, high):
    y = low if x < low else x
    return high if y > high else y


@Formula
def hardtanh_grad(g, x, *, low, high):
    return 0 if (x <= low) | (x >= high) else g


@Formula
def leaky_relu(x, *, slope):
    return x if x > 0 else x * slope


@Formula
def leaky_relu_grad(g, x, *, slope):
    return g if x > 0 else g * slope


@Formula
def hardsigmoid(x):
    y = x + 3
    y = 0 if y < 0 else y
    return (6 if y > 6 else y) / 6


@Formula
def hardsigmoid_grad(g, x):
    return g / 6 if (x > -3) & (x < 3) else 0


@Formula
def hardswish(x):
    y = x + 3
    y = 0 if y < 0 else y
    return x * (6 if y > 6 else y) / 6


@Formula
def hardswish_grad(g, x):
    between = g * (x / 3 + 0.5)
    rising = between if x < 3 else g
    return 0 if x <= -3 else rising


@Formula
def threshold(x, *, threshold, value):
    return value if x <= threshold else x


@Formula
def threshold_grad(g, x, *, threshold):
    return 0 if x <= threshold else g


@Formula
def hardshrink(x, *, lambd):
    return 0 if (x >= -lambd) & (x <= lambd) else x


@Formula
def softshrink(x, *, lambd):
    below = x + lambd if x < -lambd else x * 0
    return x - lambd if x > lambd else below


@Formula
def shrink_grad(g, x, *, lambd):
    return 0 if (x >= -lambd) & (x <= lambd) else g


@Formula
def sign(x):
    return 1 if x > 0 else -1 if x < 0 else 0


@Formula
def floor(x):
    return np.floor(x)


@Formula
def ceil(x):
    return np.ceil(x)


@Formula
def rint(x):
    return np.rint(x)


@Formula
def trunc(x):
    return np.trunc(x)


@Formula
def frac(x):
    return x - np.trunc(x)


@Formula
def finite(x, *, nan, posinf, neginf):
    y = posinf if x == np.inf else neginf if x == -np.inf else x
    return nan if x != x else y


@Formula
def maximum(a, b):
    return a if (a > b) | (a != a) else b


@Formula
def minimum(a, b):
    return a if (a < b) | (a != a) else b


@Formula
def maximum_grad(g, a, b):
    half = g / 2
    return half if a == b else 0 if a < b else g


@Formula
def copysign(a, b):
    return np.copysign(a, b)


@Formula
def hypot(a, b):
    y = np.sqrt(np.float64(a) * a + np.float64(b) * b)
    return np.inf if (abs(a) == np.inf) | (abs(b) == np.inf) else y


@Formula
def hypot_grad(g, a, y):
    return g * (a / y)


@Formula
def log(x):
    return scalars.log(x)


@Formula
def log1p(x):
    return scalars.log1p(x)


@Formula
def log1p_grad(g, x):
    return g / (x + 1)


@Formula
def logit(x):
    return scalars.log(x / (1 - x))


@Formula
def logit_grad(g, x):
    slope = g / (x * (1 - x))
    return np.nan if (x < 0) | (x > 1) else slope


@Formula
def logaddexp(a, b):
    larger = a if a > b else b
    distance = 0 if a == b else abs(a - b)  # of two infinities, too
    return larger + (0 - scalars.log_sigmoid(distance))


@Formula
def logaddexp_grad(g, a, b):
    return g / (1 + scalars.exp(b - a))


@Formula
def exp(x):
    return scalars.exp(x)


@Formula
def expm1(x):
    q, n = scalars.reduced(x)
    return scalars.expm1(x, q, scalars.times_power_of_2(q + 1, n) - 1)


@Formula
def tanh(x):
    return scalars.tanh(x)


@Formula
def tanh_grad(g, y):
    return g * (1 - y * y)


@Formula
def sigmoid(x):
    return scalars.sigmoid(x)


@Formula
def sigmoid_grad(g, y):
    return g * (y * (1 - y))


@Formula
def log_sigmoid(x):
    return scalars.log_sigmoid(x)


@Formula
def log_sigmoid_grad(g, x):
    return g * scalars.sigmoid(-x)


@Formula
def logits_loss(x, t):
    log = scalars.log_sigmoid(x)
    return (1 - t) * x - log


@Formula
def logits_loss_grad(g, x, t):
    return g * (scalars.sigmoid(x) - t)


@Formula
def softplus(x, *, beta, inverse, threshold):
    z = x * beta
    below = -scalars.log_sigmoid(-z) * inverse
    return x if z > threshold else below


@Formula
def softplus_grad(g, x, *, beta, threshold):
    z = x * beta
    below = scalars.sigmoid(z)
    return g * (1 if z > threshold else below)


@Formula
def elu(x, *, falling, scale, input_scale):
    v = min(x, 0) * input_scale
    q, n = scalars.reduced(v)
    below = scalars.expm1(v, q, scalars.times_power_of_2(q + 1, n) - 1) * falling
    above = x * scale
    return below if x <= 0 else above


@Formula
def elu_grad(g, x, *, falling, scale, input_scale):
    below = scalars.exp(min(x, 0) * input_scale) * falling
    return g * (below if x <= 0 else scale)


@Formula
def silu(x):
    return x / (1 + scalars.exp(-x))


@Formula
def silu_grad(g, x):
    s = scalars.sigmoid(x)
    return g * (s * (1 + x * (1 - s)))
