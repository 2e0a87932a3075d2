"""Arithmetic with long arrays, and their joining, on all threads.

Not for what there is to compute but for where it is: a core reads 10 GB/s from what it shares with the others and 48
from its own second-level cache, and each thread finds there the rows that it computed before. What is broadcast NumPy
reads anew for each row, in runs that are too short for it: three times as long."""

from __future__ import annotations

import functools
import math
from itertools import groupby
from typing import Any

import numpy as np

from ..reference import arithmetic as reference
from ..reference import joining as reference_joining
from ..reference import rectifiers
from ..reference.arithmetic import LONG
from ..reference.copying import copy_to
from .alike import alike
from .gathered import NARROW, back, together
from .jit import Loops
from .pool import share_loop

loops = Loops("arithmetic_loops")

_ROWS = 64  # parts of an array that has no rows
WIDE = 512  # numbers in a row, from which on it does not matter what it takes to begin one
_NUMBERS = (float, int)


@functools.lru_cache(maxsize=1024)
def plan(a, b) -> Any:
    """How arrays of two shapes meet, as rows of numbers: (shape, rows, a's rows as share_loops.Rows has them, how often
    in turn a row of a is repeated to make one of these, the same of b). None where an operand is broadcast in too many
    places, rows are short, or the shapes do not fit."""
    ndim = max(len(a), len(b))
    a, b = ((1,) * (ndim - len(s)) + s for s in (a, b))
    shape = tuple(map(max, a, b))
    if any(i not in (1, n) or j not in (1, n) for n, i, j in zip(shape, a, b, strict=True)):
        return None
    kinds = [(n, i == n, j == n) for n, i, j in zip(shape, a, b, strict=True) if n > 1]
    groups = [(math.prod(n for n, *_ in run), *kind) for kind, run in groupby(kinds, lambda dim: dim[1:])]
    if len(groups) == 1:  # one number meets all of the other's, whose rows are anything
        n = groups.pop()[0]
        rows = min(n & -n, _ROWS)
        groups = [(rows, *kinds[0][1:]), (n // rows, *kinds[0][1:])]
    if not 0 < len(groups) <= 3:
        return None
    *before, (width, *whole) = groups
    times = 1, 1
    if width < WIDE and all(whole):  # several rows are one, which meets as many copies of the other's
        n, *has = before[-1]
        times = tuple(1 if mine else min(n & -n, 1 << (WIDE // width).bit_length() - 1) for mine in has)
        before[-1], width = (n // max(times), *has), width * max(times)
    if width < NARROW:
        return None
    rows_of_both = []
    for has, ends, copies in zip(list(zip(*before, strict=True))[1:], whole, times, strict=True):
        own = math.prod(n for (n, *_), mine in zip(before, has, strict=True) if mine)
        repeated = 1 if has[-1] else before[-1][0]  # how many rows in turn meet one of its own
        own_width = width if ends else 1
        rows_of_both += [(repeated, own, own_width, own_width), copies]
    return shape, math.prod(n for n, *_ in before), *rows_of_both


def _supports(a, b, out=None) -> bool:
    if out is not None:
        if b.__class__ in _NUMBERS:
            return out is a and _supports(a, b)
        apart = type(b) is np.ndarray and (b is a or not np.may_share_memory(a, b))
        return out is a and apart and alike(a, b) and b.size <= a.size and plan(a.shape, b.shape) is not None
    if a.__class__ in _NUMBERS:
        return alike(b) and plan((), b.shape) is not None
    if b.__class__ in _NUMBERS:
        return alike(a) and plan(a.shape, ()) is not None
    return alike(a, b) and (a.shape == b.shape or plan(a.shape, b.shape) is not None)


def _repeated(x, at, times):
    """x, flat; each of its rows so many times in turn."""
    return x.reshape(-1) if times == 1 else np.tile(x.reshape(at[1], -1), times).reshape(-1)


def _shared(name: str):
    """The override with the loops of that name."""

    def override(a, b, out=None):
        if a.__class__ in _NUMBERS:
            a = np.array(a, b.dtype)
        elif b.__class__ in _NUMBERS:
            b = np.array(b, a.dtype)
        if a.shape == b.shape and out is None:
            y = np.empty(a.shape, a.dtype)
            share_loop(y.size / LONG, getattr(loops, name), y.size, *(x.reshape(-1) for x in (a, b, y)))
            return y
        shape, rows, a_at, a_times, b_at, b_times = plan(a.shape, b.shape)
        b = _repeated(b, b_at, b_times)
        if out is not None:
            loop, places = getattr(loops, f"{name}_onto"), out.reshape(rows, -1)
            share_loop(out.size / LONG, loop, rows, b, places, b_at)
            return out
        a, y = _repeated(a, a_at, a_times), np.empty(shape, a.dtype)
        share_loop(y.size / LONG, getattr(loops, f"{name}_rows"), rows, a, b, y.reshape(rows, -1), a_at, b_at)
        return y

    override.__doc__ = f"{name}, compiled."
    return override


def _chooses(condition, a, b) -> bool:
    """A mask, and an array of floats and another, or a number."""
    if not isinstance(a, np.ndarray):
        a, b = b, a
    floats = type(a) is np.ndarray and a.dtype.char in "fd" and condition.dtype.char == "?"
    return floats and (b.__class__ in _NUMBERS or getattr(b, "dtype", None) == a.dtype)


def choose(condition, a, b):
    """long_where, compiled, in the order of the first array that has the shape of the result and repeats nothing."""
    dtype = next(x.dtype for x in (a, b) if isinstance(x, np.ndarray))
    a, b = (np.asarray(x, dtype) for x in (a, b))
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    arrays, y, axes = together((np.broadcast_to(condition.view(np.uint8), shape), a, b), dtype)
    share_loop(y.size / LONG, loops.choose, y.size, *arrays, y.reshape(-1))
    return back(y, axes)


def _joins(arrays, axis) -> bool:
    first = arrays[0]
    return all(type(a) is np.ndarray and a.dtype == first.dtype and a.flags.c_contiguous for a in arrays) and (
        sum(a.size for a in arrays) >= LONG
    )


def joined(arrays, axis):
    """joined: of each array in turn, what belongs to a row of all dims before `axis`, by its bytes."""
    first = arrays[0]
    shape = *first.shape[:axis], sum(a.shape[axis] for a in arrays), *first.shape[axis + 1 :]
    y, rows, at = np.empty(shape, first.dtype), math.prod(shape[:axis]), 0
    into = y.reshape(rows, -1).view(np.uint8)
    for a in arrays:
        if a.size == 0:
            continue
        source = a.reshape(rows, -1).view(np.uint8)
        copy_to(into[:, at : at + source.shape[1]], source)
        at += source.shape[1]
    return y


def register() -> None:
    """Puts the compiled kernels before the others."""
    for name in ("plus", "minus", "times", "over"):
        getattr(reference, f"long_{name}").override(_supports)(_shared(name))
    rectifiers.prelu.override(_supports)(_shared("prelu"))
    reference.long_where.override(_chooses)(choose)
    reference_joining.joined.override(_joins)(joined)
