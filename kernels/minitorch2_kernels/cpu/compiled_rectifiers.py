"""Functions of straight pieces and their gradients, compiled by numba: relu and hardtanh take a fifth of the time of
NumPy's maximum for what caches hold, the others, in one pass instead of several, less than that."""

from __future__ import annotations

import numpy as np

from ..reference import rectifiers as reference
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("pointwise_loops")

WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer


def _run(loop, x, *rest) -> None:
    share_loop(x.size / WORTH_SHARING, loop, x.size, x, *rest)


def _limits(x, low, high, out=None) -> bool:
    return alike(x, out)


def _limits_grad(g, x, low, high) -> bool:
    return alike(g, x)


def _sloped(x, slope) -> bool:
    return alike(x)


def _sloped_grad(g, x, slope) -> bool:
    return alike(g, x)


def _register_leaky() -> None:
    @reference.leaky_relu.override(_sloped)
    def leaky_relu(x, slope):
        """leaky_relu, compiled."""
        return leaky_relu_grad(x, x, slope)

    @reference.leaky_relu_grad.override(_sloped_grad)
    def leaky_relu_grad(g, x, slope):
        """leaky_relu_grad, compiled."""
        y = np.empty(x.shape, x.dtype)
        _run(loops.leaky_relu, g.reshape(-1), x.reshape(-1), y.reshape(-1), x.dtype.type(slope))
        return y


def _register_hard(kernel, kernel_grad, loop: str) -> None:
    @kernel.override(alike)
    def forward(x):
        """hardsigmoid or hardswish, compiled."""
        y = np.empty(x.shape, x.dtype)
        _run(getattr(loops, loop), x.reshape(-1), y.reshape(-1))
        return y

    @kernel_grad.override(alike)
    def backward(g, x):
        """Its gradient, compiled."""
        dx = np.empty(g.shape, g.dtype)
        _run(getattr(loops, f"{loop}_grad"), g.reshape(-1), x.reshape(-1), dx.reshape(-1))
        return dx


def register() -> None:
    """Puts the compiled kernels before the others."""
    _register_leaky()
    _register_hard(reference.hardsigmoid, reference.hardsigmoid_grad, "hardsigmoid")
    _register_hard(reference.hardswish, reference.hardswish_grad, "hardswish")

    @reference.relu.override(alike)
    def relu(x, out=None):
        """relu, compiled."""
        y = np.empty(x.shape, x.dtype) if out is None else out
        _run(loops.relu, x.reshape(-1), y.reshape(-1))
        return y

    @reference.relu_grad.override(alike)
    def relu_grad(g, y):
        """relu_grad, compiled."""
        dx = np.empty(g.shape, g.dtype)
        _run(loops.relu_grad, g.reshape(-1), y.reshape(-1), dx.reshape(-1))
        return dx

    @reference.hardtanh.override(_limits)
    def hardtanh(x, low, high, out=None):
        """hardtanh, compiled."""
        y, number = np.empty(x.shape, x.dtype) if out is None else out, x.dtype.type
        _run(loops.hardtanh, x.reshape(-1), y.reshape(-1), number(low), number(high))
        return y

    @reference.hardtanh_grad.override(_limits_grad)
    def hardtanh_grad(g, x, low, high):
        """hardtanh_grad, compiled."""
        dx, number = np.empty(g.shape, g.dtype), g.dtype.type
        _run(loops.hardtanh_grad, g.reshape(-1), x.reshape(-1), dx.reshape(-1), number(low), number(high))
        return dx
