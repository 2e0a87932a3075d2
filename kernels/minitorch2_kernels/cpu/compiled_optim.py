"""The optimizer updates people train with, compiled by numba: one pass over the arrays.

The reference makes a dozen passes and as many temporaries; here every number is read once, updated in registers and
written once. The operations, their order and their roundings are the reference's, so the bits are the same.
"""

from __future__ import annotations

import ctypes
from itertools import chain
from operator import is_

import numpy as np

from ..dispatch import Arrays
from ..reference import optim as reference
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("optim_loops")

WORTH_SHARING = 1 << 15  # elements; below, waking the other threads takes longer than the update


def _flat(array, like):
    return like if array is None else array.reshape(-1)


def _supports(param, grad, *rest) -> bool:
    dtype = param.dtype
    if type(param) is not np.ndarray or dtype.char not in "fd" or not param.flags.c_contiguous:
        return False
    for array in (grad, *rest):
        if isinstance(array, np.ndarray) and not (array.dtype == dtype and array.flags.c_contiguous):
            return False
    return type(grad) is np.ndarray


def _run(loop, size: int, *arguments) -> None:
    share_loop(size / WORTH_SHARING, loop, size, *arguments)


def _adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """What the loop computes with, from what the kernel is given."""
    shrink = float(1 - lr * weight_decay) if decoupled else 1.0
    decay = 0.0 if decoupled else float(weight_decay)
    near = float(1 - beta1)
    root, rate = float((1 - beta2**step) ** 0.5), -float(lr / (1 - beta1**step))
    sign = -1.0 if maximize else 1.0
    return sign, shrink, decay, near, float(1 - near), float(beta2), float(1 - beta2), root, float(eps), rate


def _sgd_numbers(lr, momentum, dampening, weight_decay, nesterov, maximize, first_step):
    sign, undamped = -1.0 if maximize else 1.0, float(1 - dampening)
    return sign, float(weight_decay), float(momentum), undamped, bool(nesterov), bool(first_step), float(-lr)


def _address(array) -> int:
    """Where a C-contiguous array begins; six times as fast as by __array_interface__, where it can be written to."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, or empty
        return array.__array_interface__["data"][0]


class _Table:
    """Where the arrays of a list of parameters and of their states lie: one row of addresses for each parameter, the
    second of them its gradient's, which is another array in every step."""

    def __init__(self, params, states):
        self.states = states
        arrays = list(chain(params, *states))
        self.supported = alike(*arrays)
        self.addresses = np.zeros((len(params), 2 + len(states)), np.uint64)
        if self.supported:
            columns = np.array([_address(a) for a in arrays], np.uint64).reshape(-1, len(params))
            self.addresses[:, 0], self.addresses[:, 2:] = columns[0], columns[1:].T
        self.ends = np.cumsum([p.size for p in params])  # of each parameter, counting one after the other's elements
        self.size = int(self.ends[-1])

    def with_gradients(self, grads) -> np.ndarray:
        """A copy: another thread may be stepping too."""
        table = self.addresses.copy()
        table[:, 1] = [_address(g) for g in grads]
        return table


def _table(params, states) -> _Table:
    """The table of these arrays, lists or None, kept where such lists stay as they are."""
    states = [arrays for arrays in states if arrays is not None]
    if type(params) is not Arrays:
        return _Table(params, states)
    table = params.known
    if table is None or len(table.states) != len(states) or not all(map(is_, table.states, states)):
        table = params.known = _Table(params, states)
    return table


def _supports_many(params, grads, *rest) -> bool:
    """Lists of C-contiguous arrays of one dtype, float32 or float64; step and rate numbers."""
    if not params or type(params[0]) is not np.ndarray:
        return False
    states = []
    for values in rest:
        if isinstance(values, list):
            states.append(values)
        elif isinstance(values, np.ndarray):
            return False
    return _table(params, states).supported and alike(params[0], *grads)


def register() -> None:
    """Puts the compiled kernels before the others."""

    @reference.adam.override(_supports)
    def adam(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, *rest):
        """Adam and AdamW in one pass."""
        flat = param.reshape(-1)
        arrays = flat, grad.reshape(-1), exp_avg.reshape(-1), exp_avg_sq.reshape(-1), _flat(max_exp_avg_sq, flat)
        numbers, amsgrad = _adam_numbers(step, lr, *rest), max_exp_avg_sq is not None
        _run(loops.adam, flat.size, arrays, amsgrad, numbers)

    @reference.sgd.override(_supports)
    def sgd(param, grad, momentum_buffer, *rest):
        """Gradient descent, with momentum or without, in one pass."""
        flat = param.reshape(-1)
        arrays = flat, grad.reshape(-1), _flat(momentum_buffer, flat)
        numbers, momentum = _sgd_numbers(*rest), momentum_buffer is not None
        _run(loops.sgd, flat.size, arrays, momentum, numbers)

    @reference.adam_many.override(_supports_many)
    def adam_many(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step, lr, *rest):
        """All parameters by one call, shared among the threads where they are many numbers together."""
        table = _table(params, (exp_avgs, exp_avg_sqs, max_exp_avg_sqs))
        rows = table.with_gradients(grads)
        numbers, amsgrad = _adam_numbers(step, lr, *rest), max_exp_avg_sqs is not None
        _run(loops.adam_many, table.size, rows, table.ends, params[0], amsgrad, numbers)

    @reference.sgd_many.override(_supports_many)
    def sgd_many(params, grads, buffers, *rest):
        """All parameters by one call, as `adam_many`."""
        table = _table(params, (buffers,))
        rows = table.with_gradients(grads)
        numbers, momentum = _sgd_numbers(*rest), buffers is not None
        _run(loops.sgd_many, table.size, rows, table.ends, params[0], momentum, numbers)
