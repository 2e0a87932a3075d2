"""Bags of a table's rows compiled by numba: each is read where it is, while NumPy first lays out those of all bags."""

from __future__ import annotations

import numpy as np

from ..reference import bags as reference
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("bag_loops")

WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer


def _indices(*arrays) -> bool:
    return all(type(a) is np.ndarray and a.dtype == np.int64 and a.flags.c_contiguous for a in arrays)


def _sums(table, indices, bag, number, factors) -> bool:
    return alike(table, factors) and _indices(indices, bag)


def _factors_grad(g, table, indices, bag) -> bool:
    return alike(g, table) and _indices(indices, bag)


def _largest(table, indices, bag, bags) -> bool:
    return alike(table) and _indices(indices, bag)


def _worth(table, indices) -> float:
    return indices.size * table.shape[1] / WORTH_SHARING


def _or_none(factors, table):
    return np.empty(0, table.dtype) if factors is None else factors


def bag_sums(table, indices, bag, bags, factors):
    """bag_sums, compiled; every thread takes some of the bags."""
    y = np.empty((bags, table.shape[1]), table.dtype)
    share_loop(_worth(table, indices), loops.sums, bags, table, indices, bag, _or_none(factors, table), y)
    return y


def bag_sums_grad(g, indices, bag, rows, factors):
    """bag_sums_grad, compiled; every thread takes some of the columns."""
    dtable = np.zeros((rows, g.shape[1]), g.dtype)
    share_loop(_worth(g, indices), loops.sums_grad, g.shape[1], g, indices, bag, _or_none(factors, g), dtable)
    return dtable


def bag_factors_grad(g, table, indices, bag):
    """bag_factors_grad, compiled."""
    dfactors = np.empty(indices.shape, g.dtype)
    share_loop(_worth(g, indices), loops.factors_grad, indices.size, g, table, indices, bag, dfactors)
    return dfactors


def bag_largest(table, indices, bag, bags):
    """bag_largest, compiled; every thread takes some of the bags."""
    y = np.empty((bags, table.shape[1]), table.dtype)
    place = np.empty(y.shape, np.int64)
    share_loop(_worth(table, indices), loops.largest, bags, table, indices, bag, y, place)
    return y, place


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.bag_sums.override(_sums)(bag_sums)
    reference.bag_sums_grad.override(_sums)(bag_sums_grad)
    reference.bag_factors_grad.override(_factors_grad)(bag_factors_grad)
    reference.bag_largest.override(_largest)(bag_largest)
