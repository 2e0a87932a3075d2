"""Limiting to a range, and the gradient that is let through inside of it."""

from __future__ import annotations

from ..dispatch import kernel, namespace


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
