"""The exponential, the logarithm and what is made of them, of one float32 number, for compiled loops over many. Imports
numba.

Polynomials of our own, so that such a loop uses the vector units: NumPy's exp takes 2.5 times as long. exp and
log are within one unit in the last place, tanh and log1p within 1.4. Who edits this touches the files of loops that
import it: numba looks for changes of those alone.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

_f, _i = np.float32, np.int32


def elementwise(function):
    """Compiled so that a product may be rounded once with its sum, but no more freely: the steps of exp count."""
    return jit(function, {"contract"}, "numpy")


# exp(r) = 1 + r + r^2 E(r) for |r| <= log(2) / 2, to 0.03 units; tanh(x) = x + x^3 T(x^2) for |x| < 0.625, to 0.04:
# Remez fits of our own, highest power first
_E = tuple(map(_f, (0.00138131447, 0.008369418827, 0.04166845678, 0.1666651479, 0.4999999305)))
_T = tuple(map(_f, (-0.005704986959, 0.02063908718, -0.05373971505, 0.133314422, -0.3333328194)))
# log(1 + f) = f - f^2 / 2 + f^3 L(f) for sqrt(1/2) <= 1 + f < sqrt(2), to 0.11 units
_L = tuple(
    map(
        _f,
        (
            -0.0763449927,
            0.1276157813,
            -0.1316018187,
            0.1420175782,
            -0.1662335738,
            0.2000122688,
            -0.25000821,
            0.33333332,
        ),
    )
)
_ODD = tuple(_f(1 / n) for n in (13, 11, 9, 7, 5, 3))
_LOG2_E = _f(1.4426950408889634)
_LOG_2_HIGH, _LOG_2_LOW = _f(0.693359375), _f(-2.12194440e-4)  # the first has few enough bits for exact multiples
_LOWEST, _HIGHEST = _f(-104), _f(89)  # from where on e^x is 0, and inf
_0, _1, _2, _HALF, _TANH_SMALL = _f(0), _f(1), _f(2), _f(0.5), _f(0.625)
_EXPM1_SMALL = _f(0.34)
_SQRT_HALF = _i(0x3F3504F3)  # the bits of sqrt(1/2)
_SMALLEST_NORMAL, _2_TO_23, _23 = _f(2.0**-126), _f(2.0**23), _f(23)
_INFINITE, _NAN = _f(np.inf), _f(np.nan)


@elementwise
def _power_of_2(n):
    """By its exponent's bits."""
    return _i((n + _i(127)) << _i(23)).view(_f)


@elementwise
def reduced(x):
    """(q, n) with e^x = 2^n (1 + q) and |q| below 0.42; x limited to where e^x is neither 0 nor inf."""
    v = min(max(x, _LOWEST), _HIGHEST)
    n = np.floor(v * _LOG2_E + _HALF)
    r = v - n * _LOG_2_HIGH
    r = r - n * _LOG_2_LOW
    p = _E[0]
    p = p * r + _E[1]
    p = p * r + _E[2]
    p = p * r + _E[3]
    p = p * r + _E[4]
    return p * (r * r) + r, _i(n)


@elementwise
def times_power_of_2(x, n):
    """2^n x, in two halves: together they may be too large or too small for a number."""
    half = _i(n >> _i(1))
    return x * _power_of_2(half) * _power_of_2(_i(n - half))


@elementwise
def exp(x):
    """e^x"""
    q, n = reduced(x)
    result = times_power_of_2(q + _1, n)
    return x if x != x else result


@elementwise
def expm1(x, q, above):
    """e^x - 1 from what `reduced` and e^x - 1 as a difference give: that loses digits near 0, where q is the result.
    (One function for all of it would be too large for LLVM to take into a loop, and to compute many at a time.)"""
    result = q if abs(x) < _EXPM1_SMALL else above  # n is 0 there
    result = x if x == _0 else result  # of its sign
    return x if x != x else result


@elementwise
def _exponent(x):
    """The k with sqrt(1/2) <= x / 2^k < sqrt(2), x a normal number above 0."""
    return _i(_i(_f(x).view(_i) - _SQRT_HALF) >> _i(23))


@elementwise
def _fraction(x, k):
    """x / 2^k - 1 for that k."""
    return _i(_f(x).view(_i) - _i(k << _i(23))).view(_f) - _1


@elementwise
def _log_of(f, k):
    """log((1 + f) 2^k), the largest of its parts added last."""
    p = _L[0]
    p = p * f + _L[1]
    p = p * f + _L[2]
    p = p * f + _L[3]
    p = p * f + _L[4]
    p = p * f + _L[5]
    p = p * f + _L[6]
    p = p * f + _L[7]
    square = f * f
    y = p * (f * square) + k * _LOG_2_LOW
    return y - square * _HALF + f + k * _LOG_2_HIGH


@elementwise
def log(x):
    subnormal = x < _SMALLEST_NORMAL
    v = x * _2_TO_23 if subnormal else x
    k = _exponent(v)
    y = _log_of(_fraction(v, k), _f(k) - (_23 if subnormal else _0))
    y = y if x < _INFINITE else x  # of NaN, too
    y = -_INFINITE if x == _0 else y
    return _NAN if x < _0 else y


@elementwise
def log1p(x):
    """The logarithm of u, which is 1 + x rounded; what was lost then is added to its fraction."""
    u = _1 + x
    lost = x - (u - _1)
    k = _exponent(u)
    y = _log_of(_fraction(u, k) + lost * _power_of_2(-min(k, _i(126))), _f(k))
    y = y if u < _INFINITE else x
    y = -_INFINITE if u == _0 else y
    y = x if x == _0 else y  # of its sign
    return _NAN if u < _0 else y


@elementwise
def log_sigmoid(x):
    """min(x, 0) - log(1 + e^-|x|). With s = u / (2 + u), log(1 + u) = 2 artanh(s) = 2 (s + s^3 / 3 + s^5 / 5 + ...); as
    u = e^-|x| is at most 1, s^2 is at most 1/9, and the terms after s^13 / 13 are below a tenth of a unit."""
    u = exp(-abs(x))
    s = u / (_2 + u)
    z = s * s
    p = _ODD[0]
    p = p * z + _ODD[1]
    p = p * z + _ODD[2]
    p = p * z + _ODD[3]
    p = p * z + _ODD[4]
    p = p * z + _ODD[5]
    return min(x, _0) - _2 * (s + s * (z * p))


@elementwise
def sigmoid(x):
    """1 / (1 + e^-x)"""
    return _1 / (_1 + exp(-x))


@elementwise
def tanh(x):
    """(e^2x - 1) / (e^2x + 1)"""
    square = x * x
    p = _T[0]
    p = p * square + _T[1]
    p = p * square + _T[2]
    p = p * square + _T[3]
    p = p * square + _T[4]
    small = x + x * (square * p)
    a = abs(x)
    large = _1 - _2 / (exp(a + a) + _1)
    large = -large if x < _0 else large
    result = small if a < _TANH_SMALL else large
    return x if x == _0 else result  # of its sign
