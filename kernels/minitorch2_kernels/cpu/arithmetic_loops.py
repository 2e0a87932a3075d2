"""The loops that numba compiles for compiled_arithmetic.py. Importing this module imports numba: do so when needed."""

from __future__ import annotations

import functools

from . import jit as compiling
from .share_loops import Formula, Onto, Rows, shareable

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


@Formula
def prelu(a, b):
    return a if a > 0 else a * b


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


# of arrays that are broadcast to one another
plus_rows, minus_rows, times_rows, over_rows, prelu_rows = map(Rows, (plus, minus, times, over, prelu))
# onto the first of them
plus_onto, minus_onto, times_onto, over_onto = map(Onto, (plus, minus, times, over))
