"""softmax and log_softmax along one axis, shifted by the maximum so that nothing overflows."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def softmax(x, axis):
    """exp(x - max) / sum"""
    if not x.size:
        return x.copy()
    xp = namespace(x)
    y = x - x.max(axis=axis, keepdims=True)
    xp.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y


@kernel
def log_softmax(x, axis):
    """x - max - log(sum(exp(x - max)))"""
    if not x.size:
        return x.copy()
    xp = namespace(x)
    y = x - x.max(axis=axis, keepdims=True)
    y -= xp.log(xp.exp(y).sum(axis=axis, keepdims=True))
    return y


@kernel
def softmax_grad(g, y, axis):
    """y (g - sum(g y)): softmax's gradient from its result y, g of y's shape and dtype."""
    xp = namespace(y)
    dx = xp.multiply(g, y)
    total = dx.sum(axis=axis, keepdims=True)
    xp.subtract(g, total, out=dx)
    dx *= y
    return dx


@kernel
def log_softmax_grad(g, y, axis):
    """g - exp(y) sum(g): log_softmax's gradient from its result y, g of y's shape and dtype."""
    dx = namespace(y).exp(y)
    dx *= -g.sum(axis=axis, keepdims=True)
    dx += g
    return dx
