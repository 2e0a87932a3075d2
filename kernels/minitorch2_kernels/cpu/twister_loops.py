"""The loops that numba compiles for twister.py. Importing this module imports numba: do so when it is needed.

state: uint32 (625,), the 624 words and how many of them were handed out. Source: Matsumoto and Nishimura, "Mersenne
Twister: a 623-dimensionally equidistributed uniform pseudo-random number generator", 1998.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .loops import inner

_u = np.uint32
_WORDS, _MIDDLE = 624, 397
_UPPER, _LOWER, _MATRIX = _u(0x80000000), _u(0x7FFFFFFF), _u(0x9908B0DF)
_B, _C, _11, _7, _15, _18, _1, _0 = _u(0x9D2C5680), _u(0xEFC60000), _u(11), _u(7), _u(15), _u(18), _u(1), _u(0)
_PIECE = 4096  # words at a time, on their way to floats in the first-level cache
_HIGH_BITS, _FLOAT_BITS = _u(0x1FFFFF), _u(0xFFFFFF)


@jit
def _mixed(upper, lower):
    y = (upper & _UPPER) | (lower & _LOWER)
    return (y >> _1) ^ (_MATRIX if y & _1 else _0)


@jit
def _twist(key):
    """All words anew."""
    for k in range(_WORDS - _MIDDLE):
        key[k] = key[k + _MIDDLE] ^ _mixed(key[k], key[k + 1])
    for k in range(_WORDS - _MIDDLE, _WORDS - 1):
        key[k] = key[k + _MIDDLE - _WORDS] ^ _mixed(key[k], key[k + 1])
    key[_WORDS - 1] = key[_MIDDLE - 1] ^ _mixed(key[_WORDS - 1], key[0])


@inner
def _tempered(y):
    """The word that is handed out for one of the state."""
    y ^= y >> _11
    y ^= (y << _7) & _B
    y ^= (y << _15) & _C
    return y ^ (y >> _18)


@inner
def _double(high, low):
    return (np.float64(high & _HIGH_BITS) * 2.0**32 + np.float64(low)) * 2.0**-53


@jit
def words(state, out):
    """out (N,), uint32, = the next words."""
    key, used, begin = state[:_WORDS], int(state[_WORDS]), 0
    while begin < len(out):
        if used == _WORDS:
            _twist(key)
            used = 0
        count = min(_WORDS - used, len(out) - begin)
        source, target = key[used : used + count], out[begin : begin + count]
        for i in range(count):
            target[i] = _tempered(source[i])
        used += count
        begin += count
    state[_WORDS] = used


@jit
def shuffle(targets, out):
    """out (N,), int64, = 0 ... N-1 after the places i and targets[i] were swapped, for each i in turn."""
    for i in range(len(out)):
        out[i] = i
    for i in range(len(out)):
        t = targets[i]
        held = out[i]
        out[i] = out[t]
        out[t] = held


@jit
def floats(state, out):
    """out (N,), float32, = the low 24 bits of a word each, over 2^24."""
    piece = np.empty(_PIECE, np.uint32)
    for begin in range(0, len(out), _PIECE):
        target = out[begin : begin + _PIECE]
        words(state, piece[: len(target)])
        for i in range(len(target)):
            target[i] = np.float32(np.int32(piece[i] & _FLOAT_BITS)) * np.float32(2.0**-24)


@jit
def doubles(state, out):
    """out (N,), float64, = the low 53 bits of two words each, the first the higher, over 2^53."""
    piece = np.empty(_PIECE, np.uint32)
    for begin in range(0, len(out), _PIECE // 2):
        target = out[begin : begin + _PIECE // 2]
        words(state, piece[: 2 * len(target)])
        for i in range(len(target)):
            target[i] = _double(piece[2 * i], piece[2 * i + 1])


@jit
def next_double(state):
    """One of `doubles`."""
    used = state[_WORDS]
    if used < _WORDS - 1:
        high, low = state[used], state[used + 1]
        state[_WORDS] = used + 2
    else:
        high, low = _around_the_end(state)
    return _double(_tempered(high), _tempered(low))


@jit
def _around_the_end(state):
    """The next two words of the state where it has to be made anew before or between them."""
    used, high = state[_WORDS], state[_WORDS - 1]
    _twist(state[:_WORDS])
    if used == _WORDS:
        state[_WORDS] = 2
        return state[0], state[1]
    state[_WORDS] = 1
    return high, state[0]
