"""GELU, softmax and layer normalisation of float32, compiled by numba: one pass where NumPy makes a dozen."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from ..reference import gelu as reference_gelu
from ..reference import norm as reference_norm
from ..reference import softmax as reference_softmax
from ..reference import special as reference_special
from .alike import alike_float32
from .jit import Loops
from .pool import parts_of, share_loop

loops, column_loops = Loops("row_loops"), Loops("column_loops")

WORTH_SHARING = 8 * 1024  # numbers
FEWEST = 2048  # numbers of erf: fewer the reference computes before compiled code has been entered
APART = 32  # numbers, two lines of the cache: none has sums of two threads


def _run(name: str, n: int, *arrays) -> None:
    """The loop of that name, over range(n)."""
    worth = arrays[0].size / WORTH_SHARING
    share_loop(worth, getattr(loops, name), n, *arrays)


def _value(name: str):
    """The override that computes two arrays from x with the loop of that name."""

    def override(x):
        first, second = np.empty_like(x), np.empty_like(x)
        _run(name, x.size, *(a.reshape(-1) for a in (x, first, second)))
        return first, second

    override.__doc__ = f"{name}, compiled: for gelu a seventh of the time of the NumPy form, a tenth of that of erf."
    return override


def _long_float32(x) -> bool:
    return alike_float32(x) and x.size >= FEWEST


def erf(x):
    """erf, compiled."""
    y = np.empty_like(x)
    _run("erf", x.size, x.reshape(-1), y.reshape(-1))
    return y


def _slope(name: str):
    """The override that computes dx from three arrays with the loop of that name."""

    def override(*args):
        dx = np.empty_like(args[1])
        _run(name, dx.size, *(a.reshape(-1) for a in (*args, dx)))
        return dx

    override.__doc__ = f"{name}, compiled."
    return override


def _along_rows(*args) -> bool:
    *arrays, axis = args
    first = arrays[0]
    return first.ndim == axis + 1 and first.size > 0 and alike_float32(*arrays)


def _over_rows(name: str):
    """The override that makes an array like those it takes, with the loop of that name over the rows of all."""

    def override(*args):
        *arrays, _ = args
        first = arrays[0]
        out = np.empty(first.shape, first.dtype)
        arrays.append(out)
        if out.ndim != 2:
            arrays = [a.reshape(-1, out.shape[-1]) for a in arrays]
        _run(name, len(arrays[0]), *arrays)
        return out

    override.__doc__ = f"{name.removesuffix('_rows')} along the last axis, compiled."
    return override


def _across_rows(*args) -> bool:
    *arrays, axis = args
    first = arrays[0]
    return 0 <= axis < first.ndim - 1 and first.size > 0 and alike_float32(*arrays)


def _over_columns(name: str):
    """As _over_rows, along an axis before the last: the loop takes (before, along, after) it, a piece of what is after
    at a time."""

    def override(*args):
        *arrays, axis = args
        shape = arrays[0].shape
        out = np.empty(shape, np.float32)
        parts = [a.reshape(math.prod(shape[:axis]), shape[axis], -1) for a in (*arrays, out)]
        pieces = -(-parts[0].shape[2] // column_loops.PIECE)
        share_loop(out.size / WORTH_SHARING, getattr(column_loops, name), len(parts[0]) * pieces, *parts)
        return out

    override.__doc__ = f"{name.removesuffix('_columns')} along another axis than the last, compiled."
    return override


def _has_rows(x, weight, bias, eps) -> bool:
    return x.size > 0 and alike_float32(x, weight, bias)


def layer_norm(x, weight, bias, eps):
    """layer_norm, compiled: a row stays in the first-level cache."""
    rows, width = x.shape
    y, mean, rstd = np.empty_like(x), np.empty((rows, 1), x.dtype), np.empty((rows, 1), x.dtype)
    weight = np.ones(width, x.dtype) if weight is None else weight
    bias = np.zeros(width, x.dtype) if bias is None else bias
    _run("layer_norm", rows, x, weight, bias, np.float32(eps), y, mean, rstd)
    return y, mean, rstd


def _has_rows_back(g, x, mean, rstd, weight) -> bool:
    return x.size > 0 and alike_float32(g, x, mean, rstd, weight)


def layer_norm_grad(g, x, mean, rstd, weight):
    """layer_norm_grad, compiled; the sums of the parts are added in the order of the threads."""
    rows, width = x.shape
    dx = np.empty_like(x)
    weight = np.ones(width, x.dtype) if weight is None else weight
    parts = parts_of(rows) if x.size >= WORTH_SHARING else 1
    sums = np.zeros((2, parts, width + APART), x.dtype)
    _run("layer_norm_grad", parts, g, x, mean, rstd, weight, dx, sums[0], sums[1])
    dweight, dbias = sums[:, 0, :width]
    for part in range(1, parts):
        dweight += sums[0, part, :width]
        dbias += sums[1, part, :width]
    return dx, dweight, dbias


def _has_rows_only(x, weight, eps) -> bool:
    return x.size > 0 and alike_float32(x, weight)


def rms_norm(x, weight, eps):
    """rms_norm, compiled: a row stays in the first-level cache."""
    y, rstd = np.empty_like(x), np.empty((len(x), 1), x.dtype)
    weight = np.ones(x.shape[1], x.dtype) if weight is None else weight
    _run("rms_norm", len(x), x, weight, np.float32(eps), y, rstd)
    return y, rstd


def _has_rows_only_back(g, x, rstd, weight) -> bool:
    return x.size > 0 and alike_float32(g, x, rstd, weight)


def rms_norm_grad(g, x, rstd, weight):
    """rms_norm_grad, compiled; the sums of the parts are added in the order of the threads."""
    rows, width = x.shape
    dx = np.empty_like(x)
    weight = np.ones(width, x.dtype) if weight is None else weight
    parts = parts_of(rows) if x.size >= WORTH_SHARING else 1
    sums = np.zeros((parts, width + APART), x.dtype)
    _run("rms_norm_grad", parts, g, x, rstd, weight, dx, sums)
    return dx, functools.reduce(operator.iadd, sums[:, :width])


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference_special.erf.override(_long_float32)(erf)
    for name in ("gelu", "gelu_tanh"):
        getattr(reference_gelu, name).override(alike_float32)(_value(name))
        getattr(reference_gelu, f"{name}_grad").override(alike_float32)(_slope(f"{name}_grad"))
    for name in ("softmax", "softmax_grad", "log_softmax", "log_softmax_grad"):
        getattr(reference_softmax, name).override(_along_rows)(_over_rows(f"{name}_rows"))
        getattr(reference_softmax, name).override(_across_rows)(_over_columns(f"{name}_columns"))
    reference_norm.layer_norm.override(_has_rows)(layer_norm)
    reference_norm.rms_norm.override(_has_rows_only)(rms_norm)
    reference_norm.rms_norm_grad.override(_has_rows_only_back)(rms_norm_grad)
    reference_norm.layer_norm_grad.override(_has_rows_back)(layer_norm_grad)
