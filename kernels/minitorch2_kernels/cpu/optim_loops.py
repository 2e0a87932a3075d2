"""The loops that numba compiles for compiled_optim.py. Importing this module imports numba: do so when it is needed.

One parameter by its arrays, or many by a table of addresses: a small network's step then enters compiled code once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from .jit import jit


def _as_pointer(typing_context, address):
    """The address, a number, as a pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


_pointer: Any = intrinsic(_as_pointer)


@jit
def adam(arrays, amsgrad, start, stop, numbers):
    """Adam of the elements start to stop of (param, grad, exp_avg, exp_avg_sq, largest), all flat."""
    param, grad, exp_avg, exp_avg_sq, largest = arrays
    sign, shrink, decay, near, far, beta2, scale, root, eps, rate = numbers
    one = param.dtype.type(1)
    sign, shrink, decay = param.dtype.type(sign), param.dtype.type(shrink), param.dtype.type(decay)
    from_start = near < 0.5
    near, far = param.dtype.type(near), param.dtype.type(far)
    beta2, scale, root = param.dtype.type(beta2), param.dtype.type(scale), param.dtype.type(root)
    eps, rate = param.dtype.type(eps), param.dtype.type(rate)
    for i in range(start, stop):
        p = param[i]
        if shrink != one:
            p = p * shrink
        g = grad[i] * sign
        if decay != 0:
            g = g + decay * p
        m = exp_avg[i]
        if from_start:
            m = m + (g - m) * near
        else:
            m = g - (g - m) * far
        v = exp_avg_sq[i] * beta2 + scale * g * g
        exp_avg[i] = m
        exp_avg_sq[i] = v
        if amsgrad:
            # as np.maximum: a NaN in either stays
            held = largest[i]
            v = held if held > v or held != held else v
            largest[i] = v
        param[i] = p + rate * m / (np.sqrt(v) / root + eps)


@jit
def sgd(arrays, momentum, start, stop, numbers):
    """SGD of the elements start to stop of (param, grad, buffer), all flat."""
    param, grad, buffer = arrays
    sign, decay, beta, undamped, nesterov, first, rate = numbers
    sign, decay, beta = param.dtype.type(sign), param.dtype.type(decay), param.dtype.type(beta)
    undamped, rate = param.dtype.type(undamped), param.dtype.type(rate)
    for i in range(start, stop):
        p = param[i]
        g = grad[i] * sign
        if decay != 0:
            g = g + decay * p
        if momentum:
            b = g if first else buffer[i] * beta + undamped * g
            buffer[i] = b
            g = g + beta * b if nesterov else b
        param[i] = p + rate * g


@jit
def _array(address, n, like):
    """The n numbers at this address, of like's dtype."""
    return numba.carray(_pointer(address), n, like.dtype)


@jit
def adam_many(table, ends, like, amsgrad, start, stop, numbers):
    """`adam` of the elements start to stop of many tensors, counted one after the other: tensor i ends at ends[i], and
    table[i] are the addresses of its five arrays. like: an array of their dtype."""
    begin = 0
    for i in range(len(ends)):
        n, row = ends[i] - begin, table[i]
        first, last = max(start - begin, 0), min(stop - begin, n)
        if first < last:
            param, grad = _array(row[0], n, like), _array(row[1], n, like)
            avg, square, top = _array(row[2], n, like), _array(row[3], n, like), _array(row[4], n, like)
            adam((param, grad, avg, square, top), amsgrad, first, last, numbers)
        begin = ends[i]


@jit
def sgd_many(table, ends, like, momentum, start, stop, numbers):
    """`sgd` of many tensors, as `adam_many`; table[i] are the addresses of three arrays."""
    begin = 0
    for i in range(len(ends)):
        n, row = ends[i] - begin, table[i]
        first, last = max(start - begin, 0), min(stop - begin, n)
        if first < last:
            arrays = _array(row[0], n, like), _array(row[1], n, like), _array(row[2], n, like)
            sgd(arrays, momentum, first, last, numbers)
        begin = ends[i]
