"""The standard normal distribution where erf and erfc alone would lose digits, element by element.

Every function takes a float32 or float64 array and returns one like it, to a few units in the last place.
"""

from __future__ import annotations

import math

import numpy as np

from ..dispatch import kernel, namespace
from .special import erfc, erfinv, in_blocks, in_double, polynomial, scaled_tail

_ROOT_HALF = math.sqrt(0.5)
_FAR = 24.0  # from here on the series of erfcx in 1 / x^2, of which 1 / x^12 no longer counts
_SERIES = (10395 / 64, -945 / 32, 105 / 16, -15 / 8, 3 / 4, -1 / 2, 1.0)
_MIDDLE = 0.1  # from here to 1 - 0.1 the quantile is worked out from erfinv


@kernel
def erfcx(x):
    """exp(x^2) erfc(x)."""
    return in_blocks(in_double(_erfcx), x)


@kernel
def log_ndtr(x):
    """The logarithm of the area under the standard normal density up to x."""
    return in_blocks(in_double(_log_ndtr), x)


@kernel
def ndtri(p):
    """The x up to which that area is p; -inf at 0, inf at 1, nan outside."""
    return in_blocks(in_double(_ndtri), p)


def _erfcx(x):
    xp = namespace(x)
    a = xp.abs(x)
    far = xp.maximum(a, _FAR)
    series = polynomial(_SERIES, (1 / far) ** 2) / (far * math.sqrt(math.pi))
    tail = xp.where(a < _FAR, scaled_tail(xp.minimum(a, _FAR)), series)
    # erfc(-a) = 2 - erfc(a). a^2 in two parts, the first exact: rounding a^2 itself would cost a^2 units
    near = xp.minimum(a, 30.0)  # exp overflows before
    high = near.astype(np.float32).astype(np.float64)
    grown = xp.exp(high * high) * xp.exp((near - high) * (near + high))
    return xp.where(x < 0, 2 * grown - tail, tail)


def _log_ndtr(x):
    xp = namespace(x)
    t = x * _ROOT_HALF
    low = xp.minimum(t, -_ROOT_HALF)
    tail = xp.log(_erfcx(-low) / 2) - low * low
    return xp.where(x < -1, xp.where(xp.isinf(x), x, tail), xp.log1p(-erfc(t) / 2))


def _ndtri(p):
    xp = namespace(p)
    upper = p > 1 - _MIDDLE
    q = xp.where(upper, 1 - p, p)
    inside = (q > 0) & (q < _MIDDLE)
    log = xp.log(xp.where(inside, q, 0.5 * _MIDDLE))
    # Abramowitz and Stegun's 26.2.23, good to 3e-3; each of Newton's steps on the logarithm squares the error
    t = xp.sqrt(-2 * log)
    x = (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t) - t
    for _ in range(4):
        x = x - (_log_ndtr(x) - log) * _erfcx(-x * _ROOT_HALF) * math.sqrt(math.pi / 2)
    x = xp.where(q == 0, -math.inf, x)
    x = xp.where(upper, -x, x)
    middle = (p >= _MIDDLE) & (p <= 1 - _MIDDLE)
    x = xp.where(middle, math.sqrt(2) * erfinv(2 * xp.where(middle, p, 0.5) - 1), x)
    return xp.where((p >= 0) & (p <= 1), x, math.nan)
