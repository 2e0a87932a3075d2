"""Losses of each element by itself."""

from __future__ import annotations

from ..dispatch import kernel
from .exponentials import log_sigmoid, sigmoid
from .rectifiers import hardtanh


@kernel
def huber(x, delta):
    """c (x - c / 2) with c = x limited to [-delta, delta], element by element: x^2 / 2, from there on straight. x: any
    shape, floating; delta: a number."""
    c = hardtanh(x, -delta, delta)
    return c * (x - c * 0.5)


@kernel
def logits_loss(x, t):
    """-(t log(s) + (1 - t) log(1 - s)) for s = sigmoid(x). x and t are of one shape and dtype."""
    return (1 - t) * x - log_sigmoid(x)


@kernel
def logits_loss_grad(g, x, t):
    """g (sigmoid(x) - t). All three are of one shape and dtype."""
    return g * (sigmoid(x) - t)
