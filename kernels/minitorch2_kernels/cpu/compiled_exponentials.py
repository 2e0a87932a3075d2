"""exp, tanh, the logistic function and their gradients for float32, compiled by numba and shared among the threads.

One thread takes 53 us for exp of 100,000 numbers and 101 us for tanh; NumPy takes 134 and 269 us."""

from __future__ import annotations

import numpy as np

from ..reference import exponentials as reference
from .alike import alike_float32
from .jit import Loops
from .pool import share_loop

loops = Loops("exponential_loops")

WORTH_IT = 2048  # numbers; fewer are computed by NumPy before compiled code has been entered
WORTH_SHARING = 8 * 1024  # numbers


def _supports(*arrays) -> bool:
    return alike_float32(*arrays) and arrays[0].size >= WORTH_IT


def _override(name: str):
    def override(*arrays):
        result = np.empty(arrays[0].shape, np.float32)
        flat = [a.reshape(-1) for a in (*arrays, result)]
        share_loop(result.size / WORTH_SHARING, getattr(loops, name), result.size, *flat)
        return result

    override.__doc__ = f"{name}, compiled."
    return override


def _supports_elu(*args) -> bool:
    return _supports(*args[:-3])


def _register_elu() -> None:
    @reference.elu.override(_supports_elu)
    def elu(x, alpha, scale, input_scale):
        """elu, compiled."""
        y, numbers = np.empty(x.shape, np.float32), map(np.float32, (alpha * scale, scale, input_scale))
        share_loop(x.size / WORTH_SHARING, loops.elu, x.size, x.reshape(-1), y.reshape(-1), *numbers)
        return y

    @reference.elu_grad.override(_supports_elu)
    def elu_grad(g, x, alpha, scale, input_scale):
        """elu_grad, compiled."""
        dx, numbers = np.empty(x.shape, np.float32), map(np.float32, (alpha * scale * input_scale, scale, input_scale))
        flat = (a.reshape(-1) for a in (g, x, dx))
        share_loop(x.size / WORTH_SHARING, loops.elu_grad, x.size, *flat, *numbers)
        return dx


def _supports_softplus(*args) -> bool:
    return _supports(*args[:-2])


def _register_softplus() -> None:
    @reference.softplus.override(_supports_softplus)
    def softplus(x, beta, threshold):
        """softplus, compiled."""
        y, numbers = np.empty(x.shape, np.float32), map(np.float32, (beta, 1 / beta, threshold))
        share_loop(x.size / WORTH_SHARING, loops.softplus, x.size, x.reshape(-1), y.reshape(-1), *numbers)
        return y

    @reference.softplus_grad.override(_supports_softplus)
    def softplus_grad(g, x, beta, threshold):
        """softplus_grad, compiled."""
        dx, numbers = np.empty(x.shape, np.float32), map(np.float32, (beta, threshold))
        flat = (a.reshape(-1) for a in (g, x, dx))
        share_loop(x.size / WORTH_SHARING, loops.softplus_grad, x.size, *flat, *numbers)
        return dx


def register() -> None:
    """Puts the compiled kernels before the others."""
    _register_elu()
    _register_softplus()
    for name in (
        "exp",
        "expm1",
        "tanh",
        "tanh_grad",
        "sigmoid",
        "sigmoid_grad",
        "silu",
        "silu_grad",
        "log_sigmoid",
        "log_sigmoid_grad",
    ):
        getattr(reference, name).override(_supports)(_override(name))
