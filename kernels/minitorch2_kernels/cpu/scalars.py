"""The exponential and what is made of it, of one float32 number, for compiled loops over many. Imports numba.

Polynomials of our own, so that such a loop uses the vector units: NumPy's exp takes 2.5 times as long. exp is within
one unit in the last place, tanh within 1.4. Who edits this touches the files of loops that import it: numba looks for
changes of those alone.
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
_LOG2_E = _f(1.4426950408889634)
_LOG_2_HIGH, _LOG_2_LOW = _f(0.693359375), _f(-2.12194440e-4)  # the first has few enough bits for exact multiples
_LOWEST, _HIGHEST = _f(-104), _f(89)  # from where on e^x is 0, and inf
_0, _1, _2, _HALF, _TANH_SMALL = _f(0), _f(1), _f(2), _f(0.5), _f(0.625)


@elementwise
def _power_of_2(n):
    """By its exponent's bits."""
    return _i((n + _i(127)) << _i(23)).view(_f)


@elementwise
def exp(x):
    """e^x. Its power of two is multiplied in two halves: together they may be too large or too small for a number."""
    v = min(max(x, _LOWEST), _HIGHEST)
    n = np.floor(v * _LOG2_E + _HALF)
    r = v - n * _LOG_2_HIGH
    r = r - n * _LOG_2_LOW
    p = _E[0]
    p = p * r + _E[1]
    p = p * r + _E[2]
    p = p * r + _E[3]
    p = p * r + _E[4]
    p = p * (r * r) + r + _1
    whole = _i(n)
    half = _i(whole >> _i(1))
    result = p * _power_of_2(half) * _power_of_2(_i(whole - half))
    return x if x != x else result


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
