"""A leaf's gradient: what comes is added to what is there, or kept."""

from __future__ import annotations

import sys

import numpy as np
from numpy import ndarray

import minitorch2_kernels as K
from minitorch2_kernels.dispatch import ARRAYS, is_array, on_device
from minitorch2_kernels.reference.cast import BFLOAT16

from .function import Function
from .gradient_hooks import call_leaf_hooks
from .memory_order import copied


def accumulate_into(leaf, g, nobody_else, create_graph):
    """leaf.grad += g. A first gradient is kept as it is if nobody else holds its memory, else copied."""
    if g.shape != leaf._data.shape:
        raise RuntimeError(
            f"a backward gave a gradient of shape {list(g.shape)} for a leaf of {list(leaf._data.shape)}"
        )
    if create_graph:
        leaf._grad = g if leaf._grad is None else leaf._grad + g
    elif leaf._grad is None:
        if not (nobody_else and type(g) is ndarray and g.base is None and g.flags.carray):  # most are all of this
            g = _own(g, nobody_else)
        leaf._grad = Function.as_tensor(g)
    elif leaf._grad._requires_grad:  # it carries a graph of its own: never write into that
        leaf._grad = Function.as_tensor(plus(leaf._grad._data, g))
    else:
        if _is_bfloat16(g):
            leaf._grad._data[...] = plus(leaf._grad._data, g)
        else:
            leaf._grad._data += g
        leaf._grad._bump()
    if leaf._after_accumulate:
        call_leaf_hooks(leaf)


def _own(g, nobody_else):
    """g itself if it may be kept, else a copy."""
    if type(g) not in ARRAYS:
        g = np.asarray(g)
    flags = g.flags
    if nobody_else and flags.forc and _whole(g) and (on_device(g) or flags.writeable):
        return g
    return g.copy(order="K") if flags.f_contiguous else copied(g)


def _whole(g) -> bool:
    """Whether g is all of its memory, and nobody else looks into that: a reshaped result is as good as a fresh one."""
    base = g.base
    if base is None:
        return True
    only_g = sys.getrefcount(base) == 3  # g's own, the name base and getrefcount's argument
    return only_g and is_array(base) and base.base is None and base.nbytes == g.nbytes


def plus(a, b):
    return K.add_bfloat16(a, b) if _is_bfloat16(a) else K.plus(a, b)


def _is_bfloat16(g):
    return is_array(g) and g.dtype == BFLOAT16
