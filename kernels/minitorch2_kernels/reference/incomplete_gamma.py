"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x), element by element.

The series of P below x = a + 1 and the continued fraction of Q above (Abramowitz and Stegun, 6.5.29 and 6.5.31); for
small a and x the series of Q; for large a, where both need many terms, Gauss-Legendre's integral of the density from x
into the nearer tail. What all share, x^a exp(-x) / gamma(a + 1), is written with log(1 + u) - u for u = (x - a) / a,
so that its error does not grow with a.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..dispatch import kernel, namespace
from .special import lgamma, lgamma1p, polynomial, stirling_error

_BLOCK = 2048  # elements: each takes _NODES of them in the integral
_LARGE = 150.0  # a from which on the integral is taken
_NODES = 64
_EPS = 2.0**-54
_ODD = tuple(1 / (2 * k + 3) for k in range(14, -1, -1))  # atanh(r) = r + r^3/3 + r^5/5 + ...


@kernel
def gammainc(a, x):
    """P(a, x) for broadcasting float32 or float64 arrays of one dtype; nan where a or x is negative."""
    return _both(a, x, 0)


@kernel
def gammaincc(a, x):
    """1 - P(a, x), accurate where that is tiny."""
    return _both(a, x, 1)


def _both(a, x, which):
    xp = namespace(a)
    a, x = xp.broadcast_arrays(a, x)
    shape, dtype = a.shape, a.dtype
    a, x = a.reshape(-1).astype(np.float64), x.reshape(-1).astype(np.float64)
    result = xp.empty(a.size, np.float64)
    for i in range(0, a.size, _BLOCK):
        result[i : i + _BLOCK] = _block(a[i : i + _BLOCK], x[i : i + _BLOCK])[which]
    return result.reshape(shape).astype(dtype)


def _block(a, x):
    """(P, Q)."""
    xp = namespace(a)
    regular = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    b, y = xp.where(regular, a, 1.0), xp.where(regular, x, 1.0)
    large = b >= _LARGE
    b1, y1 = xp.where(large, 1.0, b), xp.where(large, 1.0, y)
    below = y1 < b1 + 1
    p = _series(xp.where(below, b1, 1.0), xp.where(below, y1, 1.0))
    q = _fraction(xp.where(below, 1.0, b1), xp.where(below, 3.0, y1))
    p, q = xp.where(below, p, 1 - q), xp.where(below, 1 - p, q)
    tiny = (y1 <= 1.1) & (b1 < xp.where(y1 <= 0.5, -0.4 / xp.log(xp.minimum(y1, 0.5)), y1 / 1.1))
    q = xp.where(tiny, _small(xp.where(tiny, b1, 0.1), xp.where(tiny, y1, 0.1)), q)
    if large.any():
        tail = _integral(xp.where(large, b, _LARGE), xp.where(large, y, _LARGE))
        upper = y >= b
        p = xp.where(large, xp.where(upper, 1 - tail, tail), p)
        q = xp.where(large, xp.where(upper, tail, 1 - tail), q)
    # the edges: all at 0 for a = 0 and at infinity for a = infinity
    whole = ((a == 0) & (x > 0)) | (xp.isinf(x) & xp.isfinite(a) & (a >= 0) & (x > 0))
    none = ((x == 0) & (a > 0)) | (xp.isinf(a) & (a > 0) & xp.isfinite(x) & (x >= 0))
    p = xp.where(regular, p, xp.where(whole, 1.0, xp.where(none, 0.0, math.nan)))
    q = xp.where(regular, q, xp.where(whole, 0.0, xp.where(none, 1.0, math.nan)))
    return p, q


def _density(a, x):
    """x^a exp(-x) / gamma(a + 1)."""
    xp = namespace(a)
    peak = xp.exp(a * xp.log(a) - a - lgamma(a + 1))
    high = xp.maximum(a, 10.0)
    peak = xp.where(a < 10, peak, xp.exp(-stirling_error(high)) / xp.sqrt(2 * math.pi * high))
    return xp.exp(a * _log1p_minus((x - a) / a, x / a)) * peak


def _log1p_minus(u, ratio):
    """log(1 + u) - u; ratio is 1 + u. Around 0 by r = u / (2 + u): log(1 + u) = 2 atanh(r)."""
    xp = namespace(u)
    near = (u > -0.4) & (u < 0.7)
    v = xp.where(near, u, 0.0)
    r = v / (2 + v)
    close = r * (2 * r * r * polynomial(_ODD, r * r) - v)
    far = xp.where(xp.isinf(u), -math.inf, xp.log(xp.where(near, 1.0, ratio)) - u)
    return xp.where(near, close, far)


def _series(a, x):
    xp = namespace(a)
    term, total, n = xp.ones_like(a), xp.ones_like(a), a
    while bool((term > _EPS * total).any()):
        n = n + 1
        term = term * (x / n)
        total = total + term
    return _density(a, x) * total


def _fraction(a, x):
    """By Lentz's method."""
    xp = namespace(a)
    b = x + 1 - a
    c = xp.full_like(b, 1e300)
    d = 1 / b
    h = d
    for i in range(1, 1000):
        an = i * (a - i)
        b = b + 2
        d = an * d + b
        d = 1 / xp.where(d == 0, 1e-300, d)
        c = b + an / c
        c = xp.where(c == 0, 1e-300, c)
        more = xp.abs(d * c - 1) > 8 * _EPS  # a factor that has come to 1 would go on rounding
        h = xp.where(more, h * (d * c), h)
        if not bool(more.any()):
            break
    return _density(a, x) * a * h


def _small(a, x):
    """Q where P is nearly 1 although x is small, because a is smaller still."""
    xp = namespace(a)
    factor, total = xp.ones_like(a), xp.zeros_like(a)
    for n in range(1, 25):
        factor = factor * (-x / n)
        total = total + factor / (a + n)
    log = a * xp.log(x)
    return -xp.expm1(log - lgamma1p(a)) - xp.exp(log - lgamma1p(a)) * a * total


@functools.cache
def _nodes():
    return np.polynomial.legendre.leggauss(_NODES)


def _integral(a, x):
    """The smaller of the two for large a: the integral of the density, in units of its width, from x to where nothing
    is left."""
    xp = namespace(a)
    root = xp.sqrt(a)
    start = (x - a) / root
    up = start >= 0
    ratio = x / a
    rate = xp.abs(start) / ratio  # how fast the logarithm of the density falls at x
    width = 120 / (rate + xp.sqrt(rate * rate + 120 / (ratio * ratio)))
    width = xp.where(up, width, xp.minimum(width, start + root))
    points, weights = (xp.asarray(part) for part in _nodes())
    s = start[:, None] + xp.where(up, 1.0, -1.0)[:, None] * (width[:, None] * ((points + 1) / 2))  # (n, _NODES)
    u = s / root[:, None]
    left = u > -1  # nothing is where it is rounded to that
    u = xp.where(left, u, 0.0)
    values = xp.where(left, xp.exp(a[:, None] * _log1p_minus(u, 1 + u)) / (1 + u), 0.0)
    scale = xp.exp(-stirling_error(a)) / math.sqrt(2 * math.pi)
    return (values * weights).sum(axis=1) * (width / 2) * scale
