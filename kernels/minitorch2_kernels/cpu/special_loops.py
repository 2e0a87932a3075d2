"""The loops that numba compiles for compiled_special.py. Importing this module imports numba: do so when it is needed.

The arithmetic of reference/special.py and reference/incomplete_gamma.py in float64, for one number at a time: no more
terms than it takes. A product may be rounded once with its sum, and x / 0 is inf. Arrays are flat, float32 or float64.
"""

from __future__ import annotations

import math

import numpy as np

from ..reference.incomplete_gamma import _EPS, _LARGE, _ODD
from ..reference.special import _BERNOULLI, _ERFINV32, _ERFINV32_FAR, _LGAMMA_P, _LGAMMA_Q, _PSI, _STIRLING
from . import jit as compiler
from .share_loops import shareable

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LOG_PI = math.log(math.pi)
_SERIES = tuple(b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, start=1))


def jit(function):
    return compiler.jit(function, {"contract"}, "numpy")


@jit
def _polynomial(coefficients, x):
    result = 0.0
    for c in coefficients:
        result = result * x + c
    return result


@shareable
@jit
def erfinv(x, y, start, stop):
    """y = erfinv(x), flat arrays of float32."""
    for i in range(start, stop):
        v = np.float64(x[i])
        if abs(v) == 1:
            y[i] = v * math.inf
            continue
        w = -math.log((1 - v) * (1 + v))
        if w > 6.25:
            y[i] = v * _polynomial(_ERFINV32_FAR, (math.sqrt(w) - 3.25) / 0.75)
        else:
            y[i] = v * _polynomial(_ERFINV32, w * (1 / 3.125) - 1)


@jit
def _lgamma1p(t):
    return t * (t - 1) * (_polynomial(_LGAMMA_P, t) / _polynomial(_LGAMMA_Q, t))


@jit
def _stirling_error(x):
    return _polynomial(_STIRLING, 1 / (x * x)) / x


@jit
def _lgamma_positive(x):
    if x >= 9:
        return (x - 0.5) * (math.log(x) - 1) + (_HALF_LOG_TWO_PI - 0.5 + _stirling_error(x))
    if x < 1:
        return _lgamma1p(x) - math.log(x)
    y, factors = x, 1.0
    while y > 2.5:
        y -= 1
        factors *= y
    return _lgamma1p(y - 1) + math.log(factors)


@shareable
@jit
def lgamma(x, y, start, stop):
    for i in range(start, stop):
        v = np.float64(x[i])
        a = abs(v)
        result = _lgamma_positive(a)
        if math.isinf(v):
            result = math.inf
        elif v < 0:
            fraction = a - np.rint(a)
            reflected = _LOG_PI - math.log(a * abs(math.sin(math.pi * fraction))) - result
            result = math.inf if fraction == 0 else reflected
        y[i] = result


@shareable
@jit
def digamma(x, y, start, stop):
    for i in range(start, stop):
        v = np.float64(x[i])
        if v == 0:
            y[i] = math.copysign(math.inf, -v)
            continue
        q, shift = 1 - v if v < 0 else v, 0.0
        while q < 10:
            shift -= 1 / q
            q += 1
        inverse_square = 1 / (q * q)
        result = math.log(q) - 0.5 / q - _polynomial(_PSI, inverse_square) * inverse_square + shift
        if v < 0:
            fraction = v - np.rint(v)
            result = math.nan if fraction == 0 else result - math.pi / math.tan(math.pi * fraction)
        y[i] = result


@shareable
@jit
def trigamma(x, y, start, stop):
    for i in range(start, stop):
        v = np.float64(x[i])
        q, total = 1 - v if v < 0.5 else v, 0.0
        while q < 10:
            total += 1 / (q * q)
            q += 1
        inverse = 1 / q
        square = inverse * inverse
        total += inverse + 0.5 * square
        factor = 2 * inverse * square
        for k in range(len(_SERIES)):
            total += _SERIES[k] * factor
            factor *= (2 * k + 3) * (2 * k + 4) * square
        if v < 0.5:
            root = math.pi / math.sin(math.pi * (v - np.rint(v)))
            total = root * root - total
        y[i] = total


@jit
def _log1p_minus(u, ratio):
    if -0.4 < u < 0.7:
        r = u / (2 + u)
        return r * (2 * r * r * _polynomial(_ODD, r * r) - u)
    return -math.inf if u == math.inf else math.log(ratio) - u


@jit
def _density(a, x):
    if a < 10:
        peak = math.exp(a * math.log(a) - a - _lgamma_positive(a + 1))
    else:
        peak = math.exp(-_stirling_error(a)) / math.sqrt(2 * math.pi * a)
    return math.exp(a * _log1p_minus((x - a) / a, x / a)) * peak


@jit
def _below(a, x):
    term, total, n = 1.0, 1.0, a
    while term > _EPS * total:
        n += 1
        term *= x / n
        total += term
    return _density(a, x) * total


@jit
def _above(a, x):
    b, c = x + 1 - a, 1e300
    d = 1 / b
    h = d
    for i in range(1, 1000):
        an = i * (a - i)
        b += 2
        d = an * d + b
        d = 1 / (1e-300 if d == 0 else d)
        c = b + an / c
        c = 1e-300 if c == 0 else c
        if abs(d * c - 1) <= 8 * _EPS:
            break
        h *= d * c
    return _density(a, x) * a * h


@jit
def _above_if_small(a, x):
    factor, total = 1.0, 0.0
    for n in range(1, 25):
        factor *= -x / n
        total += factor / (a + n)
    log = a * math.log(x) - _lgamma1p(a)
    return -math.expm1(log) - math.exp(log) * a * total


@jit
def _nearer_tail(a, x, points, weights):
    root = math.sqrt(a)
    start, ratio = (x - a) / root, x / a
    rate = abs(start) / ratio
    width = 120 / (rate + math.sqrt(rate * rate + 120 / (ratio * ratio)))
    if start < 0:
        width = -min(width, start + root)
    total = 0.0
    for k in range(len(points)):
        u = (start + width * ((points[k] + 1) / 2)) / root
        if u > -1:  # nothing is left where it is rounded to that
            total += weights[k] * (math.exp(a * _log1p_minus(u, 1 + u)) / (1 + u))
    return total * (abs(width) / 2) * math.exp(-_stirling_error(a)) / math.sqrt(2 * math.pi)


@jit
def _irregular(a, x):
    """P at the ends of a and x: all is at 0 for a = 0, and at infinity for a = infinity."""
    if (a == 0 and x > 0) or (math.isinf(x) and not math.isinf(a) and a >= 0 and x > 0):
        return 1.0
    if (x == 0 and a > 0) or (math.isinf(a) and a > 0 and not math.isinf(x) and x >= 0):
        return 0.0
    return math.nan


@shareable
@jit
def incomplete_gamma(a, x, y, upper, points, weights, start, stop):
    """y = P(a, x), or with `upper` 1 - P(a, x); points and weights: Gauss and Legendre's, on [-1, 1]."""
    for i in range(start, stop):
        b, v = np.float64(a[i]), np.float64(x[i])
        small = v <= 1.1 and b < (-0.4 / math.log(min(v, 0.5)) if v <= 0.5 else v / 1.1)
        if not (0 < b < math.inf and 0 < v < math.inf):
            result, is_upper = _irregular(b, v), False
        elif b >= _LARGE:
            result, is_upper = _nearer_tail(b, v, points, weights), v >= b
        elif small and upper:
            result, is_upper = _above_if_small(b, v), True
        elif v < b + 1:
            result, is_upper = _below(b, v), False
        else:
            result, is_upper = _above(b, v), True
        y[i] = result if is_upper == upper else 1 - result
