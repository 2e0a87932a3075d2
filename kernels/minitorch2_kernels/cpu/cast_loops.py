"""The loops that numba compiles for compiled_casts.py. Importing this module imports numba: do so when it is needed.

Numba computes with no float16 and NumPy has no bfloat16: both are their bits here, flat uint16, and float32 is its
bits too, flat int32. What is written as a choice of two numbers is one, without a branch, and so LLVM uses the vector
units."""

from __future__ import annotations

import numpy as np

from .loops import jit
from .share_loops import shareable

_i, _f = np.int32, np.float32
_MAGNITUDE, _INFINITE = _i(0x7FFFFFFF), _i(0x7F800000)  # all bits but the sign; of infinity
_ROUNDING = _i(0xFFF - (112 << 23))  # just below half a step of float16, and the difference of the exponents
_SMALLEST_NORMAL = _i(0x38800000)  # 2^-14: of float16, in float32
_HALF, _HALF_BITS = _f(0.5), _i(0x3F000000)
_FROM_FLOAT16 = _f(2.0**112)  # the exponents of float16 begin that much higher


@shareable
@jit
def cast(x, y, start, stop):
    """y = x in y's dtype, flat arrays, elements start to stop."""
    x, y = x[start:stop], y[start:stop]
    for i in range(len(y)):
        y[i] = x[i]


@shareable
@jit
def to_float16(x, y, start, stop):
    """Nearest, ties to even, which carries from the fraction into the exponent and at last to infinity. Beside 1/2 a
    float32 has steps of 2^-24, those of float16's subnormal numbers: a sum rounds to them."""
    x, y = x[start:stop], y[start:stop]
    for i in range(len(y)):
        magnitude = _i(x[i] & _MAGNITUDE)
        odd = _i(_i(magnitude >> _i(13)) & _i(1))
        normal = _i(_i(magnitude + _ROUNDING + odd) >> _i(13))
        normal = min(normal, _i(0x7C00))
        subnormal = _i(_f(_i(magnitude).view(_f) + _HALF).view(_i) - _HALF_BITS)
        bits = subnormal if magnitude < _SMALLEST_NORMAL else normal
        bits = _i(0x7E00) if magnitude > _INFINITE else bits
        y[i] = _i(bits | _i(_i(x[i] >> _i(16)) & _i(0x8000)))


@shareable
@jit
def from_float16(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(len(y)):
        half = _i(x[i])
        magnitude = _i((half & _i(0x7FFF)) << _i(13))
        finite = _f(_i(magnitude).view(_f) * _FROM_FLOAT16).view(_i)
        bits = magnitude | _INFINITE if magnitude >= _i(0x7C00 << 13) else finite
        y[i] = bits | _i((half & _i(0x8000)) << _i(16))


@shareable
@jit
def to_bfloat16(x, y, start, stop):
    """Nearest, ties to even."""
    x, y = x[start:stop], y[start:stop]
    for i in range(len(y)):
        odd = _i(_i(x[i] >> _i(16)) & _i(1))
        rounded = _i(_i(x[i] + _i(0x7FFF) + odd) >> _i(16))
        y[i] = _i(0x7FC0) if _i(x[i] & _MAGNITUDE) > _INFINITE else rounded


@shareable
@jit
def from_bfloat16(x, y, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(len(y)):
        y[i] = _i(_i(x[i]) << _i(16))
