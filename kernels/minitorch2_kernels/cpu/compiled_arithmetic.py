"""Arithmetic of two long arrays, and their joining, on all threads.

Not for what there is to compute but for where it is: a core reads 10 GB/s from what it shares with the others and 48
from its own second-level cache, and each thread finds there the rows that it computed before."""

from __future__ import annotations

import math

import numpy as np

from ..reference import arithmetic as reference
from ..reference import joining as reference_joining
from ..reference.arithmetic import LONG
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("arithmetic_loops")

WORTH_SHARING = LONG


def _supports(a, b) -> bool:
    return alike(a, b) and a.shape == b.shape


def _shared(name: str):
    """The override with the loop of that name."""

    def override(a, b):
        y = np.empty(a.shape, a.dtype)
        share_loop(a.size / WORTH_SHARING, getattr(loops, name), a.size, *(x.reshape(-1) for x in (a, b, y)))
        return y

    override.__doc__ = f"{name}, compiled."
    return override


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
        share_loop(a.size / WORTH_SHARING, loops.put_rows, rows, source, into, at)
        at += source.shape[1]
    return y


def register() -> None:
    """Puts the compiled kernels before the others."""
    for name in ("plus", "minus", "times", "over"):
        getattr(reference, f"long_{name}").override(_supports)(_shared(name))
    reference_joining.joined.override(_joins)(joined)
