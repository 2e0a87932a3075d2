"""The loops that numba compiles for compiled_rows.py and class_loss_loops.py. Importing this imports numba.

All float arrays are float32, with rows that lie in order.
"""

from __future__ import annotations

import numpy as np

from ..reference.gelu import CUBIC, ROOT
from .gelu import MINUS_P
from .jit import jit
from .loops import part_of
from .scalars import elementwise, exp, tanh
from .share_loops import shareable
from .tile import SQUARE, largest_of_many

_f = np.float32


def summing(function):
    """Compiled so that sums are taken in any order, several at a time.

    No loop both takes a sum and writes to an array (test_kernels_addresses looks): whether what it reads may overlap
    what it writes would be asked at each call, and where addresses happen to be near, the sum be taken in another
    order. The same program would not give the same numbers twice."""
    return jit(function, {"contract", "reassoc"}, "numpy")


_P = tuple(_f(c) for c in MINUS_P)
_0, _1, _HALF, _INF = _f(0), _f(1), _f(0.5), _f(np.inf)
_ROOT, _CUBIC = _f(ROOT), _f(CUBIC)
_DENSITY = _f(0.3989422804014327)  # 1 / sqrt(2 pi)


@shareable
@elementwise
def gelu(x, y, phi, start, stop):
    """y and phi of gelu, flat arrays; see cpu/gelu.py."""
    x, y, phi = x[start:stop], y[start:stop], phi[start:stop]
    for i in range(x.size):
        v = x[i]
        square = v * v
        p = _P[0]
        p = p * square + _P[1]
        p = p * square + _P[2]
        p = p * square + _P[3]
        p = p * square + _P[4]
        p = p * square + _P[5]
        p = p * square + _P[6]
        phi[i] = _1 / (_1 + exp(p * v))
        y[i] = v * phi[i]


@shareable
@elementwise
def gelu_grad(g, x, phi, dx, start, stop):
    """dx of gelu, flat arrays."""
    g, x, phi, dx = g[start:stop], x[start:stop], phi[start:stop], dx[start:stop]
    for i in range(x.size):
        v = x[i]
        dx[i] = g[i] * (phi[i] + v * _DENSITY * exp(v * v * -_HALF))


@shareable
@elementwise
def gelu_tanh(x, y, t, start, stop):
    """y and t of gelu_tanh, flat arrays."""
    x, y, t = x[start:stop], y[start:stop], t[start:stop]
    for i in range(x.size):
        v = x[i]
        t[i] = tanh(_ROOT * v * (_1 + _CUBIC * v * v))
        y[i] = _HALF * v * (_1 + t[i])


@shareable
@elementwise
def gelu_tanh_grad(g, x, t, dx, start, stop):
    """dx of gelu_tanh, flat arrays."""
    g, x, t, dx = g[start:stop], x[start:stop], t[start:stop], dx[start:stop]
    for i in range(x.size):
        v, tangent = x[i], t[i]
        steep = (_1 - tangent * tangent) * _ROOT * (_1 + _f(3) * _CUBIC * v * v)
        dx[i] = g[i] * _HALF * (_1 + tangent + v * steep)


# erf(x) = x + x E(x^2) for |x| < 0.9: a Chebyshev fit of our own, to a thousandth of a unit, highest power first
_E = tuple(
    map(
        _f, (8.534120570e-5, -8.180781151e-4, 0.005204331595, -0.02686070837, 0.1128371879, -0.3761263490, 0.1283791671)
    )
)
_SMALL, _ROOT_2, _2 = _f(0.9), _f(1.4142135623730951), _f(2)


@shareable
@elementwise
def erf(x, y, start, stop):
    """y = erf(x), flat arrays, within 1.5 units in the last place; beyond 0.9, 2 Phi(x sqrt(2)) - 1 by gelu's Phi."""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        a = x[i]
        square = a * a
        e = _E[0]
        e = e * square + _E[1]
        e = e * square + _E[2]
        e = e * square + _E[3]
        e = e * square + _E[4]
        e = e * square + _E[5]
        e = e * square + _E[6]
        v = min(abs(a), _f(4.2)) * _ROOT_2
        square = v * v
        p = _P[0]
        p = p * square + _P[1]
        p = p * square + _P[2]
        p = p * square + _P[3]
        p = p * square + _P[4]
        p = p * square + _P[5]
        p = p * square + _P[6]
        q = exp(p * v)
        large = _1 - _2 * q / (_1 + q)
        large = -large if a < _0 else large
        result = a + a * e if abs(a) < _SMALL else large
        y[i] = a if a != a else result


@elementwise
def largest(row, n):
    """The largest of the first n, as -inf if there is none."""
    if n >= SQUARE:
        return largest_of_many(row, n)
    top = -_INF
    for j in range(n):
        top = max(top, row[j])
    return top


@summing
def softmax(scores, scale, length, causal):
    """softmax(scale scores) for rows (R, S), in place; causal: row r sees the first r % length + 1. Rows of -inf: 0."""
    rows, keys = scores.shape
    for r in range(rows):
        row = scores[r]
        seen = min(keys, r % length + 1) if causal else keys
        for j in range(seen):
            row[j] *= scale
        top = largest(row, seen)
        top = top if top > -_INF else _0
        total = _0
        for j in range(seen):
            row[j] = exp(row[j] - top)
            total += row[j]
        factor = _1 / total if total > _0 or total != total else _0
        for j in range(seen):
            row[j] *= factor
        for j in range(seen, keys):
            row[j] = _0


@summing
def _dot(a, b):
    total = _0
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@summing
def softmax_grad(d, weights, scale):
    """d = scale weights (d - sum(weights d)) for rows (R, S), in place."""
    for r in range(d.shape[0]):
        row, weight = d[r], weights[r]
        total = _dot(row, weight)
        for j in range(row.size):
            row[j] = scale * weight[j] * (row[j] - total)


@summing
def exp_total(row, top):
    """The sum of exp(row - top)."""
    total = _0
    for j in range(row.size):
        total += exp(row[j] - top)
    return total


@summing
def _sum(row):
    total = _0
    for j in range(row.size):
        total += row[j]
    return total


@summing
def _exps(row, top, out):
    """out = exp(row - top); their sum."""
    for j in range(row.size):
        out[j] = exp(row[j] - top)
    return _sum(out)


@shareable
@elementwise
def softmax_rows(x, y, start, stop):
    """y = exp(x - max) / sum for rows (R, S)."""
    for r in range(start, stop):
        row, out = x[r], y[r]
        factor = _1 / _exps(row, largest(row, row.size), out)
        for j in range(row.size):
            out[j] *= factor


@shareable
@summing
def softmax_grad_rows(g, y, dx, start, stop):
    """dx = y (g - sum(g y)) for rows (R, S)."""
    for r in range(start, stop):
        up, value, out = g[r], y[r], dx[r]
        total = _dot(up, value)
        for j in range(up.size):
            out[j] = value[j] * (up[j] - total)


@shareable
@elementwise
def log_softmax_rows(x, y, start, stop):
    """y = x - max - log(sum(exp(x - max))) for rows (R, S)."""
    for r in range(start, stop):
        row, out = x[r], y[r]
        top = largest(row, row.size)
        log_total = np.log(exp_total(row, top))
        for j in range(row.size):
            out[j] = row[j] - top - log_total


@shareable
@elementwise
def log_softmax_grad_rows(g, y, dx, start, stop):
    """dx = g - exp(y) sum(g) for rows (R, S)."""
    for r in range(start, stop):
        row, result, out = g[r], y[r], dx[r]
        total = _sum(row)
        for j in range(row.size):
            out[j] = row[j] - exp(result[j]) * total


@shareable
@summing
def layer_norm(x, weight, bias, eps, y, mean, rstd, start, stop):
    """y, mean and rstd of rows x (R, D); weight and bias (D,)."""
    width = x.shape[1]
    for r in range(start, stop):
        row, out = x[r], y[r]
        centre = _sum(row) / _f(width)
        square = _0
        for j in range(width):
            square += (row[j] - centre) * (row[j] - centre)
        factor = _1 / np.sqrt(square / _f(width) + eps)
        for j in range(width):
            out[j] = (row[j] - centre) * factor * weight[j] + bias[j]
        mean[r, 0], rstd[r, 0] = centre, factor


@summing
def _layer_norm_grad(g, x, mean, rstd, weight, dx, dweight, dbias, start, stop):
    width = x.shape[1]
    for r in range(start, stop):
        gradient, row, out, centre, factor = g[r], x[r], dx[r], mean[r, 0], rstd[r, 0]
        total = product = _0
        for j in range(width):
            weighted = gradient[j] * weight[j]
            total += weighted
            product += weighted * ((row[j] - centre) * factor)
        total, product = total / _f(width), product / _f(width)
        for j in range(width):
            h = (row[j] - centre) * factor
            dweight[j] += gradient[j] * h
            dbias[j] += gradient[j]
            out[j] = factor * (gradient[j] * weight[j] - total - h * product)


@shareable
@summing
def layer_norm_grad(g, x, mean, rstd, weight, dx, dweights, dbiases, start, stop):
    """dx of layer_norm for parts start to stop of its rows; to dweights and dbiases (parts, D or more) is added."""
    rows, parts = len(x), len(dweights)
    for part in range(start, stop):
        first, last = part_of(rows, part, parts)
        _layer_norm_grad(g, x, mean, rstd, weight, dx, dweights[part], dbiases[part], first, last)


@shareable
@summing
def rms_norm(x, weight, eps, y, rstd, start, stop):
    """y and rstd of rows x (R, D); weight (D,)."""
    width = x.shape[1]
    for r in range(start, stop):
        row, out = x[r], y[r]
        square = _0
        for j in range(width):
            square += row[j] * row[j]
        factor = _1 / np.sqrt(square / _f(width) + eps)
        for j in range(width):
            out[j] = row[j] * factor * weight[j]
        rstd[r, 0] = factor


@shareable
@summing
def rms_norm_grad(g, x, rstd, weight, dx, dweights, start, stop):
    """dx of rms_norm for parts start to stop of its rows; to dweights (parts, D or more) is added."""
    rows, parts, width = len(x), len(dweights), x.shape[1]
    for part in range(start, stop):
        first, last = part_of(rows, part, parts)
        dweight = dweights[part]
        for r in range(first, last):
            gradient, row, out, factor = g[r], x[r], dx[r], rstd[r, 0]
            product = _0
            for j in range(width):
                product += gradient[j] * weight[j] * (row[j] * factor)
            product = product / _f(width)
            for j in range(width):
                h = row[j] * factor
                dweight[j] += gradient[j] * h
                out[j] = factor * (gradient[j] * weight[j] - h * product)
