"""relu and its gradient compiled by numba: a fifth of the time of NumPy's maximum for what the caches hold."""

from __future__ import annotations

import numpy as np

from ..reference import rectifiers as reference
from .jit import Loops
from .pool import share

loops = Loops("pointwise_loops")

WORTH_SHARING = 1 << 18  # numbers; below, waking the other threads takes longer


def _floats(*arrays) -> bool:
    first = arrays[0]
    return all(type(a) is np.ndarray and a.dtype == first.dtype and a.flags.c_contiguous for a in arrays) and (
        first.dtype.char in "fd"
    )


def _run(loop, out, *arrays):
    flat = [a.reshape(-1) for a in (*arrays, out)]
    if out.size < WORTH_SHARING:
        loop(*flat)
    else:
        share(lambda start, stop: loop(*(a[start:stop] for a in flat)), out.size)
    return out


def register() -> None:
    """Puts the compiled kernels before the others."""

    @reference.relu.override(_floats)
    def relu(x):
        """relu, compiled."""
        return _run(loops.relu, np.empty_like(x), x)

    @reference.relu_grad.override(_floats)
    def relu_grad(g, y):
        """relu_grad, compiled."""
        return _run(loops.relu_grad, np.empty_like(g), g, y)
