"""Functions of straight pieces, and the gradients that they let through."""

from __future__ import annotations

from ..dispatch import kernel, namespace, where


@kernel
def relu(x, out=None):
    """max(x, 0), element by element; NaN stays. Into `out`, which may be x itself, where that is given."""
    return namespace(x).maximum(x, 0, out=out)


@kernel
def relu_grad(g, y):
    """g where y, which relu gave, is not 0 (a NaN is not), else 0. g and y are of one shape and dtype."""
    return namespace(y).where(y == 0, g.dtype.type(0), g)


@kernel
def hardtanh(x, low, high, out=None):
    """min(max(x, low), high), element by element; NaN stays. x: any shape, real; low, high: numbers. Into `out`, which
    may be x itself, where that is given."""
    xp = namespace(x)
    return xp.minimum(xp.maximum(x, low), high, out=out)


@kernel
def hardtanh_grad(g, x, low, high):
    """g where low < x < high, or x is NaN, else 0. g and x are of one shape and dtype."""
    xp = namespace(x)
    return xp.where((x <= low) | (x >= high), g.dtype.type(0), g)


@kernel
def leaky_relu(x, slope):
    """x where x > 0, else slope * x; slope: a number."""
    return namespace(x).where(x > 0, x, x * slope)


@kernel
def leaky_relu_grad(g, x, slope):
    """g where x > 0, else slope * g. g and x are of one shape and dtype."""
    return namespace(x).where(x > 0, g, g * slope)


@kernel
def prelu(x, weight):
    """x where x > 0, else weight * x; the two, of one dtype, broadcast."""
    return where(x > 0, x, x * weight)


@kernel
def hardsigmoid(x):
    """min(max(x + 3, 0), 6) / 6"""
    xp = namespace(x)
    return xp.minimum(xp.maximum(x + 3, 0), 6) / 6


@kernel
def hardsigmoid_grad(g, x):
    """g / 6 where -3 < x < 3, else 0. g and x are of one shape and dtype."""
    return namespace(x).where((x > -3) & (x < 3), g / 6, g.dtype.type(0))


@kernel
def hardswish(x):
    """x min(max(x + 3, 0), 6) / 6"""
    xp = namespace(x)
    return x * xp.minimum(xp.maximum(x + 3, 0), 6) / 6


@kernel
def hardswish_grad(g, x):
    """0 where x <= -3, g (x / 3 + 1 / 2) where it is below 3, else g. g and x are of one shape and dtype."""
    xp = namespace(x)
    return xp.where(x <= -3, g.dtype.type(0), xp.where(x < 3, g * (x / 3 + x.dtype.type(0.5)), g))


@kernel
def threshold(x, threshold, value):
    """value where x <= threshold, else x; both numbers."""
    return where(x <= threshold, x.dtype.type(value), x)


@kernel
def threshold_grad(g, x, threshold):
    """0 where x <= threshold, else g. g and x are of one shape and dtype."""
    return where(x <= threshold, g.dtype.type(0), g)


@kernel
def hardshrink(x, lambd):
    """0 where |x| <= lambd, a number, else x."""
    return where((x >= -lambd) & (x <= lambd), x.dtype.type(0), x)


@kernel
def softshrink(x, lambd):
    """x brought lambd, a number, closer to 0, which it does not pass."""
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0))


@kernel
def shrink_grad(g, x, lambd):
    """The gradient of both: 0 where |x| <= lambd, else g. g and x are of one shape and dtype."""
    return where((x >= -lambd) & (x <= lambd), g.dtype.type(0), g)
