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
