"""The loops that numba compiles for compiled_rectifiers.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

from .jit import jit


@jit
def relu(x, y):
    """y = max(x, 0); NaN stays."""
    for i in range(x.size):
        v = x[i]
        y[i] = v if (v > 0) | (v != v) else x.dtype.type(0)


@jit
def relu_grad(g, y, dx):
    """dx = g where y is not 0, else 0."""
    for i in range(g.size):
        dx[i] = g[i] if y[i] != 0 else g.dtype.type(0)
