"""The loops that numba compiles for compiled_glu.py. Importing this module imports numba: do so when it is needed.

Of arrays of two halves along a dim, each run of `inner` numbers of the first is followed by one of the second. Arrays
are flat; start and stop are places in the halves."""

from __future__ import annotations

from . import scalars
from .scalars import elementwise
from .share_loops import shareable


@shareable
@elementwise
def glu(x, y, inner, start, stop):
    """y = a sigmoid(b), a and b the halves of x."""
    at = start
    while at < stop:
        row, column = at // inner, at % inner
        end = min(stop, at + inner - column)
        first = at + row * inner
        a, b, to = x[first : first + end - at], x[first + inner : first + inner + end - at], y[at:end]
        for i in range(len(to)):
            to[i] = a[i] * scalars.sigmoid(b[i])
        at = end


@shareable
@elementwise
def glu_grad(g, x, dx, inner, start, stop):
    """dx = g s and g a s (1 - s), s = sigmoid(b)."""
    at = start
    while at < stop:
        row, column = at // inner, at % inner
        end = min(stop, at + inner - column)
        first = at + row * inner
        second, count = first + inner, end - at
        a, b, of = x[first : first + count], x[second : second + count], g[at:end]
        da, db = dx[first : first + count], dx[second : second + count]
        for i in range(count):
            s = scalars.sigmoid(b[i])
            gated = of[i] * s
            da[i] = gated
            db[i] = gated * (a[i] * (1 - s))
        at = end
