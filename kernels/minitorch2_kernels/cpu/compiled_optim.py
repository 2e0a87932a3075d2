"""The optimizer updates people train with, compiled by numba: one pass over the arrays.

The reference makes a dozen passes and as many temporaries; here every number is read once, updated in registers and
written once. The operations, their order and their roundings are the reference's, so the bits are the same.
"""

from __future__ import annotations

import numpy as np

from ..reference import optim as reference
from .jit import compile_once
from .pool import share

WORTH_SHARING = 1 << 17  # elements; below, waking the other threads takes longer than the update


@compile_once
def _adam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    largest,
    amsgrad,
    start,
    stop,
    sign,
    shrink,
    decay,
    weight,
    beta2,
    scale,
    root,
    eps,
    rate,
):
    one = param.dtype.type(1)
    sign, shrink, decay = param.dtype.type(sign), param.dtype.type(shrink), param.dtype.type(decay)
    near, far = param.dtype.type(weight), param.dtype.type(1 - weight)
    beta2, scale, root = param.dtype.type(beta2), param.dtype.type(scale), param.dtype.type(root)
    eps, rate = param.dtype.type(eps), param.dtype.type(rate)
    from_start = weight < 0.5
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


@compile_once
def _sgd(param, grad, buffer, momentum, start, stop, sign, decay, beta, undamped, nesterov, first, rate):
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


def _run(function, size: int) -> None:
    if size < WORTH_SHARING:
        function(0, size)
    else:
        share(function, size)


def register() -> None:
    """Puts the compiled kernels before the others."""

    @reference.adam.override(_supports)
    def adam(
        param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    ):
        """Adam and AdamW in one pass."""
        flat = param.reshape(-1)
        arrays = flat, grad.reshape(-1), exp_avg.reshape(-1), exp_avg_sq.reshape(-1), _flat(max_exp_avg_sq, flat)
        shrink = float(1 - lr * weight_decay) if decoupled else 1.0
        decay = 0.0 if decoupled else float(weight_decay)
        root = float((1 - beta2**step) ** 0.5)
        rate = -float(lr / (1 - beta1**step))
        numbers = (
            *(-1.0 if maximize else 1.0, shrink, decay, float(1 - beta1), float(beta2), float(1 - beta2)),
            *(root, float(eps), rate),
        )
        amsgrad = max_exp_avg_sq is not None
        _run(lambda start, stop: _adam(*arrays, amsgrad, start, stop, *numbers), flat.size)

    @reference.sgd.override(_supports)
    def sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize, first_step):
        """Gradient descent, with momentum or without, in one pass."""
        flat = param.reshape(-1)
        arrays = flat, grad.reshape(-1), _flat(momentum_buffer, flat)
        has_momentum = momentum_buffer is not None
        sign, rate, undamped = -1.0 if maximize else 1.0, float(-lr), float(1 - dampening)
        numbers = sign, float(weight_decay), float(momentum), undamped, bool(nesterov), bool(first_step), rate
        _run(lambda start, stop: _sgd(*arrays, has_momentum, start, stop, *numbers), flat.size)
