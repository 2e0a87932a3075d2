"""Fused multiply-add, a * b + c rounded once, in NumPy, which has none.

torch's CPU kernels are compiled to the processor's FMA instructions, so the last bit of
`uniform * (high - low) + low` and of every polynomial step depends on it.
"""

from __future__ import annotations

import numpy as np


def fma32(a, b, c) -> np.ndarray:
    """a * b + c in float32.

    The product is exact in float64, the sum is rounded twice; that differs from one rounding about once in
    2**29 inexact sums.
    """
    return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)


def fma64(a, b, c) -> np.ndarray:
    """a * b + c in float64, rounded once wherever nothing overflows or underflows.

    Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
    rounding to odd", IEEE Transactions on Computers 57 (2008).
    """
    a, b, c = (np.asarray(x, np.float64) for x in (a, b, c))
    with np.errstate(all="ignore"):
        product, product_error = _two_product(a, b)
        low, lower = _two_sum(c, product_error)
        high, middle = _two_sum(product, low)
        result = high + _add_rounding_to_odd(lower, middle)
        return np.where(np.isfinite(result), result, a * b + c)


def _two_sum(a, b):
    """a + b and its rounding error (Knuth)."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _two_product(a, b):
    """a * b and its rounding error (Dekker)."""
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    product = a * b
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a):
    """a as the sum of two numbers of 26 bits (Veltkamp)."""
    scaled = a * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def _add_rounding_to_odd(a, b):
    # An inexact sum becomes the neighbour whose last bit is 1: that keeps, for the final rounding, the
    # memory of something below it, so that no false tie arises.
    total, error = _two_sum(a, b)
    bits = np.array(total).view(np.int64)
    move = np.where((error > 0) == (total > 0), 1, -1)
    bits += np.where((error != 0) & (bits & 1 == 0), move, 0)
    return bits.view(np.float64)
