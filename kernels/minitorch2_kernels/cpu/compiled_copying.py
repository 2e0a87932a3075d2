"""Copies between different orders in memory compiled by numba: tile by tile, on all threads.

NumPy goes through a transposed array number by number, and takes each line of the cache as often as it holds numbers:
1.1 GB/s where sizes are a power of two."""

from __future__ import annotations

import functools
import math

import numpy as np

from ..reference.arithmetic import LONG
from ..reference.copying import long_copy
from .jit import Loops
from .pool import share_loop

loops = Loops("copying_loops")

_ROWS = 64  # of an array that has none, to be shared
OUTER = 3  # dims of the loop before the two that a tile has
_NUMBERS = {size: np.empty(0, f"u{size}") for size in (1, 2, 4, 8)}


@functools.lru_cache(maxsize=1024)
def plan(shape, to, of, itemsize):
    """(shares, (begin to, begin of), sizes, strides to, strides of) for the loop `put`: the dims of one array put in
    order, and taken together where they can be, but for a flipped one, whose rows the threads share; in bytes. () where
    both have one order without gaps, None for what it does not do."""
    dims = sorted(((t, o, n) for n, t, o in zip(shape, to, of, strict=True) if n > 1), reverse=True)
    merged: list[tuple[int, int, int]] = []
    for t, o, n in dims:
        if merged and merged[-1][:2] == (n * t, n * o) and o >= 0:
            n *= merged.pop()[2]
        merged.append((t, o, n))
    if len(merged) == 1 and merged[0][:2] == (itemsize, itemsize):
        return ()
    if len(merged) == 1 and merged[0][:2] == (itemsize, 0):  # one number for all
        ((t, o, n),) = merged
        rows = math.gcd(n, _ROWS)
        merged = [(n // rows * t, o, rows), (t, o, n // rows)]
    if not 2 <= len(merged) <= OUTER + 2 or merged[-1][0] != itemsize:
        return None
    fastest = merged.pop()
    begin_to = begin_of = 0
    for i, (t, o, n) in enumerate(merged):
        if o == -itemsize:  # from its other end: it is read without gaps
            merged[i] = -t, -o, n
            begin_to, begin_of = begin_to + (n - 1) * t, begin_of + (n - 1) * o
    if fastest[1] != itemsize:  # the dim that has no gaps where it is read is the other of the tile
        merged.sort(key=lambda dim: dim[1] == itemsize)
    dims = [(0, 0, 1)] * (OUTER + 1 - len(merged)) + merged
    outer = dims[0][2] * dims[1][2] * dims[2][2]
    tiles = -(-dims[3][2] // loops.TILE)
    return outer * tiles, (begin_to, begin_of), *(np.array([dim[i] for dim in (*dims, fastest)]) for i in (2, 0, 1))


def _supports(out, x) -> bool:
    return (
        type(x) is np.ndarray
        and x.dtype == out.dtype
        and x.shape == out.shape
        and x.itemsize in _NUMBERS
        and x.flags.aligned
        and out.flags.aligned
        and min(out.strides) > 0
        and not np.may_share_memory(out, x)
        and plan(x.shape, out.strides, x.strides, x.itemsize) is not None
    )


def copy(out, x):
    """long_copy, compiled."""
    found = plan(x.shape, out.strides, x.strides, x.itemsize)
    addresses, worth = (out.ctypes.data, x.ctypes.data), x.size / LONG
    if not found:
        share_loop(worth, loops.move, x.nbytes, *addresses)
        return
    shares, begin, *dims = found
    addresses = (a + b for a, b in zip(addresses, begin, strict=True))
    share_loop(worth, loops.put, shares, _NUMBERS[x.itemsize], *addresses, *dims)


def register() -> None:
    """Puts the compiled kernels before the others."""
    long_copy.override(_supports)(copy)
