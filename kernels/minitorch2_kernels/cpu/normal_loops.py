"""The loops that numba compiles for normals.py. Importing this module imports numba: do so when it is needed.

The arithmetic of minitorch2/core/box_muller.py, step by step, with the processor's fused multiply-add.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import intrinsic

from .jit import jit

_f, _i = np.float32, np.int32
_LOG = tuple(
    map(
        _f,
        (
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ),
    )
)
_LN2_HIGH, _LN2_LOW, _SQRT_HALF = _f(0.693359375), _f(-2.12194440e-4), _f(0.707106781186547524)
_SIN = tuple(map(_f, (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)))
_COS = tuple(map(_f, (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)))
_P1, _P2, _P3 = _f(-0.78515625), _f(-2.4187564849853515625e-4), _f(-3.77489497744594108e-8)
_FOUR_OVER_PI, _TWO_PI = _f(1.27323954473516), _f(2 * math.pi)
_PIECE = 2048  # pairs
_0, _1, _HALF, _TWO = _f(0), _f(1), _f(0.5), _f(2)


def _fused(typing, a, b, c):
    """a * b + c, rounded once."""
    return a(a, b, c), lambda context, builder, signature, args: builder.fma(*args)


_fma: Any = intrinsic(_fused)


@jit
def _log(x):
    """log of a normal number."""
    bits = _f(x).view(_i)
    m = _i((bits & _i(0x7FFFFF)) | _i(0x3F000000)).view(_f)
    e = _f(_i(bits >> _i(23)) - _i(126))
    small = m < _SQRT_HALF
    e = e - _1 if small else e
    x = (m - _1) + (m if small else _0)
    square = x * x
    y = _fma(x, _LOG[0], _LOG[1])
    y = _fma(y, x, _LOG[2])
    y = _fma(y, x, _LOG[3])
    y = _fma(y, x, _LOG[4])
    y = _fma(y, x, _LOG[5])
    y = _fma(y, x, _LOG[6])
    y = _fma(y, x, _LOG[7])
    y = _fma(y, x, _LOG[8])
    y = _fma(y * x, square, e * _LN2_LOW)
    y = _fma(square, -_HALF, y)
    return _fma(e, _LN2_HIGH, x + y)


@jit
def _pairs(u, v):
    """u and v (n,), uniforms of radii and of angles, become the cosines and the sines."""
    for i in range(len(u)):
        radius = np.sqrt(-_TWO * _log(_1 - u[i]))
        x = _TWO_PI * v[i]
        octant = _i((_i(x * _FOUR_OVER_PI) + _i(1)) & _i(-2))
        count = _f(octant)
        x = _fma(count, _P1, x)
        x = _fma(count, _P2, x)
        x = _fma(count, _P3, x)
        square = x * x
        p = _fma(square, _SIN[0], _SIN[1])
        p = _fma(p, square, _SIN[2])
        sine = _fma(p * square, x, x)
        p = _fma(square, _COS[0], _COS[1])
        p = _fma(p, square, _COS[2])
        cosine = _fma(p * square, square, -_HALF * square) + _1
        swapped = _i(octant & _i(2)) != _i(0)
        first = sine if swapped else cosine
        second = cosine if swapped else sine
        u[i] = radius * (-first if _i(_i(octant + _i(2)) & _i(4)) != _i(0) else first)
        v[i] = radius * (-second if _i(octant & _i(4)) != _i(0) else second)


@jit
def standard_normals(uniforms, out):
    """out (16 k,) = the normals of uniforms (16 k,) in [0, 1), float32: of each sixteen, eight radii and eight angles.

    They are sorted apart for a piece that stays in the cache, since a loop over eight is too short for LLVM to take
    into vector registers."""
    u, v = np.empty(_PIECE, _f), np.empty(_PIECE, _f)
    for begin in range(0, len(out), 2 * _PIECE):
        count = min(_PIECE, (len(out) - begin) // 2)
        for i in range(0, count, 8):
            for j in range(8):
                u[i + j] = uniforms[begin + 2 * i + j]
                v[i + j] = uniforms[begin + 2 * i + 8 + j]
        _pairs(u[:count], v[:count])
        for i in range(0, count, 8):
            for j in range(8):
                out[begin + 2 * i + j] = u[i + j]
                out[begin + 2 * i + 8 + j] = v[i + j]


@jit
def standard_normals_in_double(uniforms, out):
    """As standard_normals, in float64 and with the C library's functions."""
    for begin in range(0, len(out), 16):
        for i in range(begin, begin + 8):
            radius = math.sqrt(-2.0 * math.log(1.0 - uniforms[i]))
            theta = 2.0 * math.pi * uniforms[i + 8]
            out[i] = radius * math.cos(theta)
            out[i + 8] = radius * math.sin(theta)


@jit
def scale(x, factor, shift):
    """x = factor * x + shift, in place and rounded once."""
    for i in range(len(x)):
        x[i] = _fma(x[i], factor, shift)


# One loop for each of the C library's functions: of a loop that is handed a function numba keeps nothing on disk.


@jit
def exp(x, out):
    for i in range(len(x)):
        out[i] = math.exp(x[i])


@jit
def log(x, out):
    for i in range(len(x)):
        out[i] = math.log(x[i])


@jit
def log1p(x, out):
    for i in range(len(x)):
        out[i] = math.log1p(x[i])


@jit
def sin(x, out):
    for i in range(len(x)):
        out[i] = math.sin(x[i])


@jit
def cos(x, out):
    for i in range(len(x)):
        out[i] = math.cos(x[i])


@jit
def tan(x, out):
    for i in range(len(x)):
        out[i] = math.tan(x[i])
