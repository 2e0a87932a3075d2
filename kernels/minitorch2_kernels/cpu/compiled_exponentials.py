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


def register() -> None:
    """Puts the compiled kernels before the others."""
    for name in ("exp", "tanh", "tanh_grad", "sigmoid", "sigmoid_grad", "silu", "silu_grad"):
        getattr(reference, name).override(_supports)(_override(name))
