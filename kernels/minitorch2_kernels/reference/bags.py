"""Rows of a table, summed or compared bag by bag.

table (V, D), floating; indices (n,), int64 in [0, V); bag (n,), int64 in [0, B]: which bag each index is in, B for one
that counts in none; those in bags ascend."""

from __future__ import annotations

import math

import numpy as np

from ..dispatch import full_like, kernel, namespace, where, zeros_like
from .indexing import index_add, take_slices


def _of_bags(g, bag):
    """Row bag[i] of g (B, D) for every i: (n, D), zeros for those in no bag."""
    return take_slices(namespace(g).concatenate([g, zeros_like(g, shape=(1, g.shape[1]))]), bag, 0)


@kernel
def bag_sums(table, indices, bag, bags, factors):
    """The sum of table[indices[i]] factors[i] over the i of each bag: (B, D), zeros for an empty one. factors: (n,) in
    table's dtype, or None for ones."""
    values = take_slices(table, indices, 0)
    if factors is not None:
        values = values * factors[:, None]
    return index_add(zeros_like(table, shape=(bags + 1, table.shape[1])), bag, values)[:bags]


@kernel
def bag_sums_grad(g, indices, bag, rows, factors):
    """The gradient of bag_sums in its table of so many rows: (rows, D); g (B, D)."""
    values = _of_bags(g, bag)
    if factors is not None:
        values = values * factors[:, None]
    return index_add(zeros_like(g, shape=(rows, g.shape[1])), indices, values)


@kernel
def bag_factors_grad(g, table, indices, bag):
    """The gradient of bag_sums in its factors: (n,), zeros for those in no bag; g (B, D)."""
    return (take_slices(table, indices, 0) * _of_bags(g, bag)).sum(1)


def _ranks(x):
    """Integers in the order of the floats x, of 4 or 8 bytes, none of them NaN, -0 and 0 alike: CuPy's maximum.at is
    exact for integers, and rounds float64 to float32."""
    bits = (x + 0.0).view(np.int32 if x.itemsize == 4 else np.int64)  # -0 + 0 = 0
    return where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


@kernel
def bag_largest(table, indices, bag, bags):
    """The largest of table[indices[i]] over the i of each bag, column by column, zeros for an empty one, and the i that
    it comes from, n for an empty one: both (B, D). The first of equals; a NaN counts where it comes first."""
    (n,), width = indices.shape, table.shape[1]
    xp = namespace(table)
    number = xp.arange(n)
    first = full_like(bag, n, shape=(bags + 1,))
    xp.minimum.at(first, bag, number)
    leads = (first[bag] == number)[:, None]
    values = take_slices(table, indices, 0)
    known = where(np.isnan(values), where(leads, values.dtype.type(math.inf), values.dtype.type(-math.inf)), values)
    ranks = _ranks(known)
    top = full_like(ranks, np.iinfo(ranks.dtype).min, shape=(bags + 1, width))
    xp.maximum.at(top, bag, ranks)
    place = full_like(bag, n, shape=(bags + 1, width))
    xp.minimum.at(place, bag, where(ranks == top[bag], number[:, None], n))
    place = place[:bags]
    values = xp.concatenate([values, zeros_like(values, shape=(1, width))])
    return values[place, xp.arange(width)], place
