"""The loops that numba compiles for compiled_rectifiers.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

from .jit import jit
from .share_loops import shareable


@shareable
@jit
def relu(x, y, start, stop):
    """y = max(x, 0) of elements start to stop; NaN stays."""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        v = x[i]
        y[i] = v if (v > 0) | (v != v) else x.dtype.type(0)


@shareable
@jit
def relu_grad(g, y, dx, start, stop):
    """dx = g where y is not 0, else 0, of elements start to stop."""
    g, y, dx = g[start:stop], y[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g[i] if y[i] != 0 else g.dtype.type(0)


@shareable
@jit
def hardtanh(x, y, low, high, start, stop):
    """y = x limited to [low, high], of elements start to stop; NaN stays."""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        v = x[i]
        v = low if v < low else v
        y[i] = high if v > high else v


@shareable
@jit
def hardtanh_grad(g, x, dx, low, high, start, stop):
    """dx = 0 where x <= low or x >= high, else g, of elements start to stop."""
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g.dtype.type(0) if (x[i] <= low) | (x[i] >= high) else g[i]


@shareable
@jit
def leaky_relu(g, x, y, slope, start, stop):
    """y = g where x > 0, else slope * g, of elements start to stop: of g = x, leaky_relu itself."""
    g, x, y = g[start:stop], x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = g[i] if x[i] > 0 else g[i] * slope


@shareable
@jit
def hardsigmoid(x, y, start, stop):
    """y = min(max(x + 3, 0), 6) / 6 of elements start to stop; NaN stays."""
    x, y = x[start:stop], y[start:stop]
    zero, three, six = x.dtype.type(0), x.dtype.type(3), x.dtype.type(6)
    for i in range(x.size):
        v = x[i] + three
        v = zero if v < zero else v
        y[i] = (six if v > six else v) / six


@shareable
@jit
def hardsigmoid_grad(g, x, dx, start, stop):
    """dx = g / 6 where -3 < x < 3, else 0, of elements start to stop."""
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g[i] / g.dtype.type(6) if (x[i] > -3) & (x[i] < 3) else g.dtype.type(0)


@shareable
@jit
def hardswish(x, y, start, stop):
    """y = x min(max(x + 3, 0), 6) / 6 of elements start to stop; NaN stays."""
    x, y = x[start:stop], y[start:stop]
    zero, three, six = x.dtype.type(0), x.dtype.type(3), x.dtype.type(6)
    for i in range(x.size):
        v = x[i] + three
        v = zero if v < zero else v
        y[i] = x[i] * (six if v > six else v) / six


@shareable
@jit
def hardswish_grad(g, x, dx, start, stop):
    """dx = 0 where x <= -3, g (x / 3 + 1 / 2) where it is below 3, else g, of elements start to stop."""
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    three, half = x.dtype.type(3), x.dtype.type(0.5)
    for i in range(g.size):
        v = g[i] * (x[i] / three + half) if x[i] < 3 else g[i]
        dx[i] = g.dtype.type(0) if x[i] <= -3 else v
