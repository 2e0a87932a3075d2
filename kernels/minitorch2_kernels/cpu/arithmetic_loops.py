"""The loops that numba compiles for compiled_arithmetic.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

import functools

from . import jit as compiling
from .share_loops import shareable

jit = functools.partial(compiling.jit, error_model="numpy")


@shareable
@jit
def plus(a, b, y, start, stop):
    """y = a + b of elements start to stop, flat arrays."""
    a, b, y = a[start:stop], b[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = a[i] + b[i]


@shareable
@jit
def minus(a, b, y, start, stop):
    """y = a - b, as plus."""
    a, b, y = a[start:stop], b[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = a[i] - b[i]


@shareable
@jit
def times(a, b, y, start, stop):
    """y = a * b, as plus."""
    a, b, y = a[start:stop], b[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = a[i] * b[i]


@shareable
@jit
def over(a, b, y, start, stop):
    """y = a / b, as plus."""
    a, b, y = a[start:stop], b[start:stop], y[start:stop]
    for i in range(y.size):
        y[i] = a[i] / b[i]


@shareable
@jit
def put_rows(source, out, at, start, stop):
    """out[r, at:at + n] = source[r] for rows start to stop of source (R, n)."""
    for r in range(start, stop):
        row, place = source[r], out[r, at : at + source.shape[1]]
        for i in range(row.size):
            place[i] = row[i]
