"""The loops that numba compiles for compiled_division.py. Importing this module imports numba: do so when it is needed.

What is left of a division of floats is an exact number, and cheap where the quotient q, rounded, is below 2^52: it is
a - trunc(q) b, rounded once with the product (`fma`), and where q was rounded up to a whole number that and one b. So
is a block computed, many numbers at a time; one in which a quotient is larger, infinite or none is done again by C's
fmod, which takes a step for each bit of the quotient. Integers are divided as float64, or again as integers.

Arrays are flat; one of a single number stands for as many as the other has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from . import jit as compiler
from .share_loops import shareable

_BLOCK = 512  # numbers
_EXACT = 2.0**52


def jit(function, **options):
    return compiler.jit(function, {"contract"}, "numpy", **options)


def inner(function):
    return jit(function, inline="always")


def _as_fma(typing_context, a, b, c):
    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fma: Any = intrinsic(_as_fma)


@inner
def _block(x, at, stop, number):
    """The numbers of x from `at` to `stop`, or as many of its only one."""
    return number[: stop - at] if len(x) == 1 else x[at:stop]


@inner
def _repeated(x):
    """A block of x's first number."""
    number = np.empty(_BLOCK, x.dtype)
    for i in range(_BLOCK):
        number[i] = x[0]
    return number


@inner
def _put_rest(u, v, rest):
    """rest = fmod(u, v), a block."""
    beyond = 0
    for i in range(len(rest)):
        a, b = np.float64(u[i]), np.float64(v[i])
        quotient = np.trunc(a / b)
        r = _fma(-quotient, b, a)
        r = r + math.copysign(b, a) if (r != 0) & ((r < 0) != (a < 0)) else r
        r = a if quotient == 0 else r  # b may be infinite
        rest[i] = math.copysign(r, a)
        beyond += 0 if abs(quotient) < _EXACT else 1
    if beyond > 0:
        for i in range(len(rest)):
            rest[i] = np.fmod(u[i], v[i])


@inner
def _on_the_wrong_side(rest, b):
    return (rest != 0) & ((rest < 0) != (b < 0))


@shareable
@jit
def fmod(a, b, y, start, stop):
    number_a, number_b = _repeated(a), _repeated(b)
    for at in range(start, stop, _BLOCK):
        end = min(stop, at + _BLOCK)
        _put_rest(_block(a, at, end, number_a), _block(b, at, end, number_b), y[at:end])


@shareable
@jit
def remainder(a, b, y, start, stop):
    number_a, number_b = _repeated(a), _repeated(b)
    for at in range(start, stop, _BLOCK):
        end = min(stop, at + _BLOCK)
        v, rest = _block(b, at, end, number_b), y[at:end]
        _put_rest(_block(a, at, end, number_a), v, rest)
        for i in range(len(rest)):
            rest[i] = rest[i] + v[i] if _on_the_wrong_side(rest[i], v[i]) else rest[i]


@shareable
@jit
def floor_divide(a, b, y, start, stop):
    """In the steps of the reference, each rounded to the dtype."""
    number_a, number_b, rests = _repeated(a), _repeated(b), np.empty(_BLOCK, y.dtype)
    zero, half, one = y.dtype.type(0), y.dtype.type(0.5), y.dtype.type(1)
    for at in range(start, stop, _BLOCK):
        end = min(stop, at + _BLOCK)
        u, v = _block(a, at, end, number_a), _block(b, at, end, number_b)
        rest, quotients = rests[: end - at], y[at:end]
        _put_rest(u, v, rest)
        for i in range(len(rest)):
            quotient = u[i] / v[i]
            times = (u[i] - rest[i]) / v[i] - (one if _on_the_wrong_side(rest[i], v[i]) else zero)
            whole = np.floor(times)
            whole = whole + (one if times - whole > half else zero)
            whole = math.copysign(zero, quotient) if times == zero else whole
            quotients[i] = quotient if v[i] == zero else whole


@inner
def _divides_exactly(a, b):
    """Whether two integers are float64 numbers, whose quotient, rounded and rounded down, is the integers' or one more,
    and b is not 0."""
    return (abs(np.float64(a)) < 2 * _EXACT) & (abs(np.float64(b)) < 2 * _EXACT) & (b != 0)


@shareable
@jit
def divide_integers(a, b, y, whole, start, stop):
    """How often b goes into a, rounded down, if `whole`, else what is left."""
    number_a, number_b = _repeated(a), _repeated(b)
    for at in range(start, stop, _BLOCK):
        end = min(stop, at + _BLOCK)
        u, v, to = _block(a, at, end, number_a), _block(b, at, end, number_b), y[at:end]
        beyond = 0
        for i in range(len(to)):
            quotient = np.int64(np.floor(np.float64(u[i]) / np.float64(v[i])))
            rest = u[i] - quotient * v[i]
            too_often = _on_the_wrong_side(rest, v[i])
            to[i] = quotient - (1 if too_often else 0) if whole else rest + (v[i] if too_often else 0)
            beyond += 0 if _divides_exactly(u[i], v[i]) else 1
        if beyond > 0:
            for i in range(len(to)):
                if v[i] == -1:  # of the lowest number there is no quotient: the processor would stop
                    to[i] = -u[i] if whole else 0
                else:
                    to[i] = u[i] // v[i] if whole else u[i] % v[i]
