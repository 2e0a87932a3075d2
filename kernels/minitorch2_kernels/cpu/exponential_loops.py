"""The loops that numba compiles for compiled_exponentials.py: float32, flat, elements start to stop. Importing this
module imports numba, which keeps no code on disk that is handed a function: hence a loop for each."""

from __future__ import annotations

import numpy as np

from . import scalars
from .scalars import elementwise
from .share_loops import shareable

_0, _1 = np.float32(0), np.float32(1)


@shareable
@elementwise
def exp(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = scalars.exp(x[i])


@shareable
@elementwise
def expm1(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        q, n = scalars.reduced(x[i])
        y[i] = scalars.expm1(x[i], q, scalars.times_power_of_2(q + _1, n) - _1)


@shareable
@elementwise
def tanh(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = scalars.tanh(x[i])


@shareable
@elementwise
def tanh_grad(g, y, dx, start, stop):
    g, y, dx = g[start:stop], y[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g[i] * (_1 - y[i] * y[i])


@shareable
@elementwise
def sigmoid(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = scalars.sigmoid(x[i])


@shareable
@elementwise
def sigmoid_grad(g, y, dx, start, stop):
    g, y, dx = g[start:stop], y[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g[i] * (y[i] * (_1 - y[i]))


@shareable
@elementwise
def log_sigmoid(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = scalars.log_sigmoid(x[i])


@shareable
@elementwise
def log_sigmoid_grad(g, x, dx, start, stop):
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        dx[i] = g[i] * scalars.sigmoid(-x[i])


@shareable
@elementwise
def softplus(x, y, beta, inverse, threshold, start, stop):
    """inverse: 1 / beta"""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        z = x[i] * beta
        below = -scalars.log_sigmoid(-z) * inverse
        y[i] = x[i] if z > threshold else below


@shareable
@elementwise
def softplus_grad(g, x, dx, beta, threshold, start, stop):
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        z = x[i] * beta
        below = scalars.sigmoid(z)
        dx[i] = g[i] * (_1 if z > threshold else below)


@shareable
@elementwise
def elu(x, y, falling, scale, input_scale, start, stop):
    """falling: alpha * scale"""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        v = min(x[i], _0) * input_scale
        q, n = scalars.reduced(v)
        below = scalars.expm1(v, q, scalars.times_power_of_2(q + _1, n) - _1) * falling
        above = x[i] * scale
        y[i] = below if x[i] <= _0 else above


@shareable
@elementwise
def elu_grad(g, x, dx, falling, scale, input_scale, start, stop):
    """falling: alpha * scale * input_scale"""
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        below = scalars.exp(min(x[i], _0) * input_scale) * falling
        dx[i] = g[i] * (below if x[i] <= _0 else scale)


@shareable
@elementwise
def silu(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = x[i] / (_1 + scalars.exp(-x[i]))


@shareable
@elementwise
def silu_grad(g, x, dx, start, stop):
    g, x, dx = g[start:stop], x[start:stop], dx[start:stop]
    for i in range(g.size):
        s = scalars.sigmoid(x[i])
        dx[i] = g[i] * (s * (_1 + x[i] * (_1 - s)))
