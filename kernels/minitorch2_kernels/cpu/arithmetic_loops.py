"""The loops that numba compiles for compiled_arithmetic.py. Importing this module imports numba: do so when needed.

Each of the four comes twice. `plus` takes flat arrays. `plus_rows` takes matrices y (R, L), a and b, one or both of
which are broadcast: (R', L), or (R', 1) for a number to each row. `a_rows` and `b_rows`, (P, Q) each, say which of
theirs belongs to row r of y: number r // P % Q."""

from __future__ import annotations

import functools

from . import jit as compiling
from .share_loops import Formula, shareable

jit = functools.partial(compiling.jit, error_model="numpy")


@Formula
def plus(a, b):
    return a + b


@Formula
def minus(a, b):
    return a - b


@Formula
def times(a, b):
    return a * b


@Formula
def over(a, b):
    return a / b


@shareable
@jit
def choose(condition, a, b, y, start, stop):
    """y = a where condition, b elsewhere; elements start to stop, flat arrays; a and b may be of one number."""
    condition, y = condition[start:stop], y[start:stop]
    u, v = a if len(a) == 1 else a[start:stop], b if len(b) == 1 else b[start:stop]
    if len(a) == 1 and len(b) == 1:
        first, second = u[0], v[0]
        for i in range(y.size):
            y[i] = first if condition[i] else second
    elif len(a) == 1:
        first = u[0]
        for i in range(y.size):
            second = v[i]  # read in any case, or the vector units cannot be used
            y[i] = first if condition[i] else second
    elif len(b) == 1:
        second = v[0]
        for i in range(y.size):
            first = u[i]
            y[i] = first if condition[i] else second
    else:
        for i in range(y.size):
            first, second = u[i], v[i]
            y[i] = first if condition[i] else second


@shareable
@jit
def plus_rows(a, b, y, a_rows, b_rows, start, stop):
    """y = a + b of rows start to stop."""
    for r in range(start, stop):
        u, v, row = a[r // a_rows[0] % a_rows[1]], b[r // b_rows[0] % b_rows[1]], y[r]
        if len(v) < len(row):
            for i in range(len(row)):
                row[i] = u[i] + v[0]
        elif len(u) < len(row):
            for i in range(len(row)):
                row[i] = u[0] + v[i]
        else:
            for i in range(len(row)):
                row[i] = u[i] + v[i]


@shareable
@jit
def minus_rows(a, b, y, a_rows, b_rows, start, stop):
    """y = a - b, as plus_rows."""
    for r in range(start, stop):
        u, v, row = a[r // a_rows[0] % a_rows[1]], b[r // b_rows[0] % b_rows[1]], y[r]
        if len(v) < len(row):
            for i in range(len(row)):
                row[i] = u[i] - v[0]
        elif len(u) < len(row):
            for i in range(len(row)):
                row[i] = u[0] - v[i]
        else:
            for i in range(len(row)):
                row[i] = u[i] - v[i]


@shareable
@jit
def times_rows(a, b, y, a_rows, b_rows, start, stop):
    """y = a * b, as plus_rows."""
    for r in range(start, stop):
        u, v, row = a[r // a_rows[0] % a_rows[1]], b[r // b_rows[0] % b_rows[1]], y[r]
        if len(v) < len(row):
            for i in range(len(row)):
                row[i] = u[i] * v[0]
        elif len(u) < len(row):
            for i in range(len(row)):
                row[i] = u[0] * v[i]
        else:
            for i in range(len(row)):
                row[i] = u[i] * v[i]


@shareable
@jit
def over_rows(a, b, y, a_rows, b_rows, start, stop):
    """y = a / b, as plus_rows."""
    for r in range(start, stop):
        u, v, row = a[r // a_rows[0] % a_rows[1]], b[r // b_rows[0] % b_rows[1]], y[r]
        if len(v) < len(row):
            for i in range(len(row)):
                row[i] = u[i] / v[0]
        elif len(u) < len(row):
            for i in range(len(row)):
                row[i] = u[0] / v[i]
        else:
            for i in range(len(row)):
                row[i] = u[i] / v[i]
