"""The loops that numba compiles for compiled_bags.py. Importing this module imports numba.

What the arguments are, reference/bags.py says; factors are (n,) or, for ones, (0,)."""

from __future__ import annotations

from .loops import inner, jit
from .share_loops import shareable


@inner
def _add(row, factors, i, to):
    """to += row, flat arrays, times factors[i] where there are any."""
    if len(factors) > 0:
        factor = factors[i]
        for j in range(len(to)):
            to[j] += row[j] * factor
    else:
        for j in range(len(to)):
            to[j] += row[j]


@shareable
@jit
def sums(table, indices, bag, factors, y, start, stop):
    """y[bag[i]] += table[indices[i]] factors[i], from zero; bags start to stop."""
    for b in range(start, stop):
        row = y[b]
        for j in range(len(row)):
            row[j] = 0
    for i in range(len(indices)):
        if start <= bag[i] < stop:
            _add(table[indices[i]], factors, i, y[bag[i]])


@shareable
@jit
def sums_grad(g, indices, bag, factors, dtable, start, stop):
    """dtable[indices[i]] += g[bag[i]] factors[i]; columns start to stop."""
    for i in range(len(indices)):
        if bag[i] < len(g):
            _add(g[bag[i], start:stop], factors, i, dtable[indices[i], start:stop])


@shareable
@jit
def factors_grad(g, table, indices, bag, dfactors, start, stop):
    """dfactors[i] = the sum of g[bag[i]] table[indices[i]]; i from start to stop."""
    for i in range(start, stop):
        total = g.dtype.type(0)
        if bag[i] < len(g):
            row, other = g[bag[i]], table[indices[i]]
            for j in range(len(row)):
                total += row[j] * other[j]
        dfactors[i] = total


@shareable
@jit
def largest(table, indices, bag, y, place, start, stop):
    """y[b] = the largest of table[indices[i]] with bag[i] == b, place[b] its i; bags start to stop."""
    for b in range(start, stop):
        row, where = y[b], place[b]
        for j in range(len(row)):
            row[j], where[j] = 0, len(indices)
    for i in range(len(indices)):
        if start <= bag[i] < stop:
            row, where, new = y[bag[i]], place[bag[i]], table[indices[i]]
            if len(row) > 0 and where[0] == len(indices):  # the first of its bag, in every column
                for j in range(len(row)):
                    row[j], where[j] = new[j], i
            else:
                for j in range(len(row)):
                    larger = new[j] > row[j]
                    where[j] = i if larger else where[j]
                    row[j] = new[j] if larger else row[j]
