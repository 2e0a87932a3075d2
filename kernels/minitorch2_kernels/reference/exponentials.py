"""exp, tanh, the logistic function, what is made with it, and their gradients."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def exp(x):
    """e^x, element by element. x: any shape, floating."""
    return namespace(x).exp(x)


@kernel
def tanh(x):
    """tanh(x), element by element. x: any shape, floating."""
    return namespace(x).tanh(x)


@kernel
def sigmoid(x):
    """1 / (1 + exp(-x)), element by element. x: any shape, floating."""
    return 1 / (1 + namespace(x).exp(-x))


@kernel
def sigmoid_grad(g, y):
    """g y (1 - y), y what sigmoid gave. g and y are of one shape and dtype."""
    return g * (y * (1 - y))


@kernel
def tanh_grad(g, y):
    """g (1 - y^2), y what tanh gave. g and y are of one shape and dtype."""
    return g * (1 - y * y)


@kernel
def silu(x):
    """x / (1 + exp(-x)), element by element. x: any shape, floating."""
    return x / (1 + namespace(x).exp(-x))


@kernel
def silu_grad(g, x):
    """g s (1 + x (1 - s)) with s = sigmoid(x). g and x are of one shape and dtype."""
    s = sigmoid.reference(x)
    return g * (s * (1 + x * (1 - s)))
