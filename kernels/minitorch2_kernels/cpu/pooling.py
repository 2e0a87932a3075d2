"""Pooling on the CPU: the reference, a few images at a time, by every thread on its share of the batch.

The reference passes over its input once per tap.
"""

from __future__ import annotations

import numpy as np

from ..reference import pooling as reference
from .pool import share
from .rectifiers import INTEGERS

BLOCK_BYTES = 2 << 20  # of images at a time: pool.py says why not less
WORTH_SHARING = 256 * 1024  # bytes; below, waking the other threads takes longer


def _on_cpu(x, *args) -> bool:
    return type(x) is np.ndarray and x.ndim == 4 and x.shape[0] > 1 and x.nbytes > WORTH_SHARING


def _in_blocks(function, first, second, *rest):
    """function(first, second, *rest) on blocks of images, of which the threads have their parts; `second` may be
    batched too."""
    n, batched = first.shape[0], isinstance(second, np.ndarray) and second.ndim == 4
    step = max(1, BLOCK_BYTES * n // first.nbytes)

    def on(a, b):
        made = function(first[a:b], second[a:b] if batched else second, *rest)
        return made if isinstance(made, tuple) else (made,)

    results = [np.empty((n, *none.shape[1:]), none.dtype) for none in on(0, 0)]

    def part(start, stop):
        for a in range(start, stop, step):
            b = min(stop, a + step)
            for result, made in zip(results, on(a, b), strict=True):
                result[a:b] = made

    share(part, n)
    return tuple(results) if len(results) > 1 else results[0]


def _override(kernel) -> None:
    def blockwise(*args):
        return _in_blocks(kernel.reference, *args)

    blockwise.__doc__ = f"{kernel.__name__}, block by block."
    kernel.override(_on_cpu)(blockwise)


for _kernel in (
    reference.max_pool2d,
    reference.max_pool2d_put,
    reference.max_pool2d_pick,
    reference.avg_pool2d,
    reference.avg_pool2d_put,
):
    _override(_kernel)


def _put(g, winner, hw, kernel_size, stride, padding, dilation):
    """max_pool2d_put of windows that do not overlap: g's bits are cut with a mask, since `where` would jump."""
    dx, bits = np.zeros((*g.shape[:2], *hw), g.dtype), INTEGERS[g.dtype.char]
    to, numbers = dx.view(bits), g.view(bits)
    for number, rows, cols in reference.taps(kernel_size, stride, dilation, g.shape[2:]):
        won = (winner == number).view(np.int8)
        np.negative(won, out=won)  # -1, all of whose bits are set
        to[:, :, rows, cols] = numbers & won
    return dx


def _apart(g, winner, hw, kernel_size, stride, padding, dilation) -> bool:
    """Whether every pixel is seen by at most one place, and none of them is padding."""
    fits = padding == (0, 0) and dilation == (1, 1) and all(s >= k for s, k in zip(stride, kernel_size, strict=True))
    inside = all((g.shape[2 + i] - 1) * stride[i] + kernel_size[i] <= hw[i] for i in (0, 1))
    return type(g) is np.ndarray and g.dtype.char in INTEGERS and g.flags.c_contiguous and fits and inside


@reference.max_pool2d_put.override(_apart)
def max_pool2d_put(g, *rest):
    """max_pool2d_put where no windows overlap: 0.7 of the reference's time."""
    return _in_blocks(_put, g, *rest) if _on_cpu(g) else _put(g, *rest)
