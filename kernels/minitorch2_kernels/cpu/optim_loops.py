"""The loops that numba compiles for compiled_optim.py. Importing this module imports numba: do so when it is needed.

One parameter by its arrays, or many by a table of addresses: a small network's step then enters compiled code once.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import jit as compiling
from .share_loops import shareable

# With NumPy's division there is no test for zero in the loop, and so eight numbers go at once.
jit = functools.partial(compiling.jit, error_model="numpy")


def _as_pointer(typing_context, address):
    """The address, a number, as a pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


_pointer: Any = intrinsic(_as_pointer)


@jit
def _updated(p, g, m, v, shrink, near, beta2, scale, root, eps, rate):
    """(param, exp_avg, exp_avg_sq) after a step of Adam, of one element."""
    m = m + (g - m) * near
    v = v * beta2 + scale * g * g
    return p * shrink + rate * m / (np.sqrt(v) / root + eps), m, v


@shareable
@jit
def adam(arrays, amsgrad, numbers, start, stop):
    """Adam of the elements start to stop of (param, grad, exp_avg, exp_avg_sq, largest), all flat.

    A loop over all of an array (numba looks at an index that could be negative) that asks nothing of its elements
    takes eight of them at once, in a tenth of the time: so there is one for Adam as it
    mostly is, one with weight decay in the gradient, and one for the rest.
    """
    param, grad, exp_avg, exp_avg_sq, largest = (
        arrays[0][start:stop],
        arrays[1][start:stop],
        arrays[2][start:stop],
        arrays[3][start:stop],
        arrays[4][start:stop],
    )
    sign, shrink, decay, near, far, beta2, scale, root, eps, rate = numbers
    sign, shrink, decay = param.dtype.type(sign), param.dtype.type(shrink), param.dtype.type(decay)
    from_start = near < 0.5
    near, far = param.dtype.type(near), param.dtype.type(far)
    beta2, scale, root = param.dtype.type(beta2), param.dtype.type(scale), param.dtype.type(root)
    eps, rate = param.dtype.type(eps), param.dtype.type(rate)
    if from_start and not amsgrad and decay == 0:
        for i in range(len(param)):
            param[i], exp_avg[i], exp_avg_sq[i] = _updated(
                param[i], grad[i] * sign, exp_avg[i], exp_avg_sq[i], shrink, near, beta2, scale, root, eps, rate
            )
    elif from_start and not amsgrad:
        for i in range(len(param)):
            p = param[i]
            param[i], exp_avg[i], exp_avg_sq[i] = _updated(
                p, grad[i] * sign + decay * p, exp_avg[i], exp_avg_sq[i], shrink, near, beta2, scale, root, eps, rate
            )
    else:
        for i in range(len(param)):
            p = param[i] * shrink
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


@shareable
@jit
def sgd(arrays, momentum, numbers, start, stop):
    """SGD of the elements start to stop of (param, grad, buffer), all flat."""
    param, grad, buffer = arrays[0][start:stop], arrays[1][start:stop], arrays[2][start:stop]
    sign, decay, beta, undamped, nesterov, first, rate = numbers
    sign, decay, beta = param.dtype.type(sign), param.dtype.type(decay), param.dtype.type(beta)
    undamped, rate = param.dtype.type(undamped), param.dtype.type(rate)
    for i in range(len(param)):
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


@shareable
@jit
def adam_many(table, ends, like, amsgrad, numbers, start, stop):
    """`adam` of the elements start to stop of many tensors, counted one after the other: tensor i ends at ends[i], and
    table[i] are the addresses of its four or, with amsgrad, five arrays. like: an array of their dtype."""
    begin = 0
    for i in range(len(ends)):
        n, row = ends[i] - begin, table[i]
        first, last = max(start - begin, 0), min(stop - begin, n)
        if first < last:
            param, grad = _array(row[0], n, like), _array(row[1], n, like)
            avg, square, top = _array(row[2], n, like), _array(row[3], n, like), _array(row[-1], n, like)
            adam((param, grad, avg, square, top), amsgrad, numbers, first, last)
        begin = ends[i]


@shareable
@jit
def sgd_many(table, ends, like, momentum, numbers, start, stop):
    """`sgd` of many tensors, as `adam_many`; table[i] are the addresses of two or, with momentum, three arrays."""
    begin = 0
    for i in range(len(ends)):
        n, row = ends[i] - begin, table[i]
        first, last = max(start - begin, 0), min(stop - begin, n)
        if first < last:
            arrays = _array(row[0], n, like), _array(row[1], n, like), _array(row[-1], n, like)
            sgd(arrays, momentum, numbers, first, last)
        begin = ends[i]
