"""Uniforms to normals as torch's CPU kernel does it, bit for bit: Box-Muller over blocks of sixteen.

In a block the first eight uniforms give the radii, the last eight the angles; the eight cosines come out
first, then the eight sines. Source: Box and Muller, "A Note on the Generation of Random Normal Deviates",
1958.

For float32 torch evaluates log, sin and cos by the single-precision polynomials of the Cephes library (S.
Moshier), in fused multiply-adds on every x86 processor that has them. Following that arithmetic step by
step gives the same bits. For float64 it calls the C library, and so do we: NumPy's own log may differ in
the last bit.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .fma import fma32, fma64
from .mt19937 import by_loops

f32 = np.float32
BLOCK = 16
_PAIRS_AT_A_TIME = 1 << 13  # temporaries of this length stay in the processor's cache

# log(1 + x) = x - x^2/2 + x^3 * P(x) on [sqrt(1/2) - 1, sqrt(2) - 1]
_LOG = [
    f32(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
]
_LN2_HIGH, _LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)  # their sum is ln 2 to more bits than a float has
_SQRT_HALF = f32(0.707106781186547524)
# sin(x) = x + x^3 * S(x^2), cos(x) = 1 - x^2/2 + x^4 * C(x^2) on [-pi/4, pi/4]
_SIN = [f32(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
_COS = [f32(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)]
# minus pi/4, in parts
_QUARTER_PI = (f32(-0.78515625), f32(-2.4187564849853515625e-4), f32(-3.77489497744594108e-8))
_FOUR_OVER_PI = f32(1.27323954473516)


@functools.cache
def _compiled() -> Any:
    """One of the CPU's overrides, which importing this package does not wait for."""
    from minitorch2_kernels.cpu import normals

    return normals


def standard_normals(uniforms: np.ndarray) -> np.ndarray:
    """float32 or float64 uniforms in [0, 1), shape (16 * k,) -> as many standard normals, same dtype."""
    if by_loops(uniforms.size):
        return _compiled().standard_normals(uniforms)
    blocks = uniforms.reshape(-1, 2, BLOCK // 2)  # (k, radius or angle, 8)
    normals = np.empty_like(blocks)
    transform = _float32_pairs if uniforms.dtype == np.float32 else _float64_pairs
    step = 2 * _PAIRS_AT_A_TIME // BLOCK
    for i in range(0, len(blocks), step):
        part = blocks[i : i + step]
        normals[i : i + step, 0], normals[i : i + step, 1] = transform(part[:, 0], part[:, 1])
    return normals.reshape(-1)


def _float64_pairs(u1, u2):
    radius = np.sqrt(-2.0 * libm(math.log, 1.0 - u1))  # 1 - u1 lies in (0, 1]: no log of zero
    theta = 2.0 * math.pi * u2
    return radius * libm(math.cos, theta), radius * libm(math.sin, theta)


def libm(function, x: np.ndarray) -> np.ndarray:
    """The C library's function, of which `function` has the name, on every element: the bits torch has. Compiled it
    takes some 10 to 30 ns an element, else 100 to 200."""
    if by_loops(x.size):
        return _compiled().libm(function.__name__, x)
    return np.fromiter(map(function, x.reshape(-1).tolist()), np.float64, x.size).reshape(x.shape)


def _float32_pairs(u1, u2):
    radius = np.sqrt(f32(-2) * _log(f32(1) - u1))
    sine, cosine = _sine_and_cosine(f32(2 * math.pi) * u2)
    return radius * cosine, radius * sine


def _log(x):
    # x = m * 2^e with m in [sqrt(1/2), sqrt(2)), then log x = log m + e * ln 2
    m, exponent = np.frexp(x)
    small = m < _SQRT_HALF
    e = (exponent - small).astype(f32)
    x = (m - f32(1)) + np.where(small, m, f32(0))
    square = x * x
    y = _polynomial(_LOG, x) * x
    y = fma32(y, square, e * _LN2_LOW)
    y = fma32(square, f32(-0.5), y)
    return fma32(e, _LN2_HIGH, x + y)


def _sine_and_cosine(x):
    # x >= 0 lies within pi/4 of octant * pi/4, octant even; what remains is subtracted in three parts
    octant = ((x * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    count = octant.astype(f32)
    for part in _QUARTER_PI:
        x = fma32(count, part, x)
    square = x * x
    sine = fma32(_polynomial(_SIN, square) * square, x, x)
    cosine = fma32(_polynomial(_COS, square) * square, square, f32(-0.5) * square) + f32(1)
    swapped = (octant & 2) != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    sine_sign = np.where(octant & 4, f32(-1), f32(1))
    cosine_sign = np.where((octant + 2) & 4, f32(-1), f32(1))
    return sine * sine_sign, cosine * cosine_sign


def _polynomial(coefficients, x):
    y = fma32(x, coefficients[0], coefficients[1])
    for c in coefficients[2:]:
        y = fma32(y, x, c)
    return y


def scaled(values: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """scale * values + shift, float32 or float64 and rounded once; may be made in `values` itself."""
    number = values.dtype.type
    if not by_loops(values.size):
        return (fma32 if number == f32 else fma64)(values, number(scale), number(shift))
    _compiled().scale(values, number(scale), number(shift))
    return values
