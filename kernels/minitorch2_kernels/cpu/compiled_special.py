"""lgamma, its derivatives, the incomplete gamma functions and erfinv, compiled by numba: each number takes the terms it
needs, where NumPy takes all steps for all of them."""

from __future__ import annotations

import numpy as np

from ..reference import incomplete_gamma, special
from .alike import alike, alike_float32
from .jit import Loops
from .pool import share_loop

loops = Loops("special_loops")

WORTH_IT = 128  # numbers
WORTH_SHARING = 1 << 11  # numbers


def _many(x) -> bool:
    return alike(x) and x.size >= WORTH_IT


def _of_each(loop, x):
    y = np.empty_like(x)
    share_loop(x.size / WORTH_SHARING, loop, x.size, x.reshape(-1), y.reshape(-1))
    return y


def _many_float32(x) -> bool:
    return alike_float32(x) and x.size >= WORTH_IT


def erfinv(y):
    """erfinv, compiled."""
    return _of_each(loops.erfinv, y)


def lgamma(x):
    """lgamma, compiled."""
    return _of_each(loops.lgamma, x)


def digamma(x):
    """digamma, compiled."""
    return _of_each(loops.digamma, x)


def _is_first(n, x) -> bool:
    return n == 1 and _many(x)


def trigamma(n, x):
    """polygamma of order 1, compiled."""
    return _of_each(loops.trigamma, x)


def _many_pairs(a, x) -> bool:
    return type(a) is type(x) is np.ndarray and a.dtype == x.dtype and a.dtype.char in "fd" and x.size >= WORTH_IT


def _incomplete(a, x, upper: bool):
    y = np.empty(np.broadcast_shapes(a.shape, x.shape), x.dtype)
    arrays = (_spread(each, y.shape).reshape(-1) for each in (a, x, y))
    share_loop(y.size / WORTH_SHARING, loops.incomplete_gamma, y.size, *arrays, upper, *incomplete_gamma._nodes())
    return y


def _spread(x, shape):
    return np.ascontiguousarray(x) if x.shape == shape else np.broadcast_to(x, shape).copy()


def gammainc(a, x):
    """gammainc, compiled."""
    return _incomplete(a, x, False)


def gammaincc(a, x):
    """gammaincc, compiled."""
    return _incomplete(a, x, True)


def register() -> None:
    """Puts the compiled kernels before the others."""
    special.erfinv.override(_many_float32)(erfinv)
    special.lgamma.override(_many)(lgamma)
    special.digamma.override(_many)(digamma)
    special.polygamma.override(_is_first)(trigamma)
    incomplete_gamma.gammainc.override(_many_pairs)(gammainc)
    incomplete_gamma.gammaincc.override(_many_pairs)(gammaincc)
