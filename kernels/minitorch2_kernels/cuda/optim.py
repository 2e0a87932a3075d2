"""Optimizer updates on the GPU: one launch for many parameters, in the order of operations of the reference.

A launch takes the addresses of its tensors by value, up to 512 of them (a kernel's parameters may fill 32 KB since CUDA
12.1); more tensors take more launches.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import cupy
import numpy as np

from ..reference import optim as reference
from .launch import FLOAT64, FULL, REALS, THREADS, acc, by_value, dense, function, launch

_CHUNK = 2048  # elements of one block, as in optim.cu
_SMALL, _LARGE = 64, 512  # tensors in a launch: the less there may be, the less there is to hand over
_STEP = 5  # the row of the table for counters on the device
_Arrays = Sequence["cupy.ndarray | None"]


@functools.cache
def _layout(tensors: int) -> np.dtype:
    """optim.cu's Table."""
    fields = [("address", "u8", (6, tensors)), ("size", "i8", tensors), ("first", "i4", tensors + 1), ("count", "i4")]
    return np.dtype(fields, align=True)


def tables(*rows: _Arrays | None) -> Iterator[tuple[np.ndarray, int, int, slice]]:
    """(table, blocks, TENSORS, part) for each launch; rows[0] are the parameters, a row may be None."""
    for start in range(0, len(rows[0] or ()), _LARGE):
        part = slice(start, start + _LARGE)
        params = rows[0][part]  # type: ignore[index]
        count = len(params)
        tensors = _SMALL if count <= _SMALL else _LARGE
        table = np.zeros((), _layout(tensors))
        for i, row in enumerate(rows):
            if row is not None:
                table["address"][i, :count] = [a.data.ptr for a in row[part]]  # type: ignore[union-attr]
        sizes = table["size"][:count]
        sizes[:] = [p.size for p in params]  # type: ignore[union-attr]
        first = table["first"]
        np.cumsum(-(-sizes // _CHUNK), out=first[1 : count + 1])
        table["count"] = count
        yield table, int(first[count]), tensors, part


def takes(*lists) -> bool:
    """Dense arrays of one of the dtypes, the same in every list (which may be None)."""
    dtype = getattr(lists[0][0], "dtype", None) if lists[0] else None
    if dtype not in REALS:
        return False
    for arrays in lists:
        for a in arrays or ():
            if not (isinstance(a, cupy.ndarray) and a.dtype == dtype and a.flags.c_contiguous):
                return False
    return True


def _is_number(x) -> bool:
    return isinstance(x, int | float | np.number)


def _rate(lr, dtype):
    """(where a learning rate on the device lies, else None; its value where it is a number, else 0)"""
    return (None, lr) if _is_number(lr) else (lr.astype(acc(dtype), copy=False), 0.0)


def _sgd_supports(params, grads, buffers, lr, momentum, dampening, weight_decay, *rest) -> bool:
    return takes(params, grads, buffers) and (_is_number(lr) or dense(lr)) and _is_number(weight_decay)


@reference.sgd_many.cuda_override(_sgd_supports)
def sgd_many(params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first_step):
    """SGD of many tensors in one launch."""
    dtype = params[0].dtype
    real = acc(dtype)
    there, lr = _rate(lr, dtype)
    flags = (
        1 * bool(maximize) + 2 * (weight_decay != 0) + 4 * bool(first_step) + 8 * bool(nesterov) + 16 * (dampening != 0)
    )
    numbers = (real(-lr), real(momentum), real(1 - dampening), real(weight_decay), np.int32(flags))
    name = "sgd" if buffers is None else "sgd_momentum"
    for table, blocks, tensors, _ in tables(params, grads, buffers):
        if blocks:
            launch(
                function("optim.cu", name, dtype, TENSORS=tensors), blocks, THREADS, (by_value(table), there, *numbers)
            )


def _adam_supports(params, grads, avgs, squares, tops, steps, lr, beta1, beta2, eps, weight_decay, *rest) -> bool:
    numbers = _is_number(beta1) and _is_number(beta2) and _is_number(weight_decay)
    counted = _is_number(steps) or (dense(*steps) and all(s.dtype in FULL for s in steps))
    return numbers and counted and (_is_number(lr) or dense(lr)) and takes(params, grads, avgs, squares, tops)


@reference.adam_many.cuda_override(_adam_supports)
def adam_many(
    params, grads, avgs, squares, tops, steps, lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, maximize
):
    """Adam of many tensors in one launch; where steps or lr are on the device, in two."""
    dtype = params[0].dtype
    real = acc(dtype)
    there, lr = _rate(lr, dtype)
    counted_there = not _is_number(steps)
    corrected_there = counted_there or there is not None
    weight1 = 1 - beta1
    decays = weight_decay != 0
    flags = (
        1 * bool(maximize)
        + 2 * bool(decays and not decoupled_weight_decay)
        + 4 * bool(decays and decoupled_weight_decay)
        + 8 * bool(float(weight1) >= 0.5)
    )
    if corrected_there:
        corrected = (real(0), real(0), real(0))
    else:
        bias2 = 1 - beta2**steps
        corrected = (real(-(lr / (1 - beta1**steps))), real(bias2**0.5), real(1 - lr * weight_decay))
    numbers = (
        *corrected,
        real(1 - weight1 if flags & 8 else weight1),
        real(beta2),
        real(1 - beta2),
        real(eps),
        real(weight_decay),
        np.int32(flags),
    )
    name = "adam" if tops is None else "adam_amsgrad"
    for table, blocks, tensors, part in tables(params, grads, avgs, squares, tops):
        corrections = None
        if corrected_there:
            count = int(table["count"])
            if counted_there:
                table["address"][_STEP, :count] = [s.data.ptr for s in steps[part]]
            corrections = cupy.empty((count, 3), real)
            host = (lr, beta1, beta2, weight_decay, 0 if counted_there else steps)
            wide = np.int32(counted_there and steps[0].dtype == FLOAT64)
            kernel = function("optim.cu", "adam_corrections", dtype, TENSORS=tensors)
            args = (by_value(table), corrections, there, *(np.float64(x) for x in host), wide)
            launch(kernel, -(-count // THREADS), THREADS, args)
        if blocks:
            kernel = function("optim.cu", name, dtype, TENSORS=tensors)
            launch(kernel, blocks, THREADS, (by_value(table), corrections, *numbers))


def _one(*args) -> list:
    return [None if a is None else [a] for a in args]


def _sgd_one(param, grad, buffer, *rest) -> bool:
    return _sgd_supports(*_one(param, grad, buffer), *rest)


@reference.sgd.cuda_override(_sgd_one)
def sgd(param, grad, buffer, *rest):
    """SGD of one tensor."""
    sgd_many(*_one(param, grad, buffer), *rest)


def _adam_one(param, grad, avg, square, top, *rest) -> bool:
    return _adam_supports(*_one(param, grad, avg, square, top), *rest)


@reference.adam.cuda_override(_adam_one)
def adam(param, grad, avg, square, top, *rest):
    """Adam of one tensor."""
    adam_many(*_one(param, grad, avg, square, top), *rest)
