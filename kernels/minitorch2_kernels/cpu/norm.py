"""Batch normalisation on the CPU: some channels of all images at a time.

Channels are normalised each by itself, so these are the references, block by block and shared between the threads.
`compiled_norm.py` has the same in fewer passes, where numba is installed.
"""

from __future__ import annotations

import numpy as np

from ..reference import norm as reference
from .pool import share_if
from .rows import unbuffered

BLOCK_BYTES = 2 << 20  # of one array: pool.py says why not less
WORTH_SHARING = 64 * 1024  # numbers; below, waking the other threads takes longer
LONG = 512  # numbers in a row; shorter ones are faster taken all at once


def _supports(*args) -> bool:
    x = args[0]
    return type(x) is np.ndarray and x.shape[2] >= LONG and x.size > WORTH_SHARING


def _supports_grad(g, x, *rest) -> bool:
    return type(g) is np.ndarray and _supports(x)


def by_channels(function, x):
    """Calls function(a, b) for the channels a to b of x (A, B, L), a block of them at a time; the threads share what is
    many numbers."""
    a, b, length = x.shape
    step = max(1, BLOCK_BYTES // (a * length * x.itemsize))

    def part(start, stop):
        for first in range(start, stop, step):
            function(first, min(stop, first + step))

    share_if(x.size > WORTH_SHARING, part, b)


@reference.moments.override(_supports)
def moments(x):
    """moments, a block of channels at a time."""
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)

    @unbuffered()
    def block(a, b):
        mean[a:b], var[a:b] = reference.moments.reference(x[:, a:b])

    by_channels(block, x)
    return mean, var


@reference.normalize.override(_supports)
def normalize(x, mean, rstd, weight, bias):
    """normalize, in one pass over memory."""
    scale = rstd if weight is None else rstd * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    y = np.empty_like(x)

    @unbuffered()
    def block(a, b):
        np.multiply(x[:, a:b], scale[a:b, None], out=y[:, a:b])
        y[:, a:b] += shift[a:b, None]

    by_channels(block, x)
    return y


@reference.normalize_grad.override(_supports_grad)
def normalize_grad(g, x, mean, rstd, weight, from_batch):
    """normalize_grad, a block of channels at a time."""
    dx, dweight, dbias = np.empty_like(x), np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)

    @unbuffered()
    def block(a, b):
        part = None if weight is None else weight[a:b]
        dx[:, a:b], dweight[a:b], dbias[a:b] = reference.normalize_grad.reference(
            g[:, a:b], x[:, a:b], mean[a:b], rstd[a:b], part, from_batch
        )

    by_channels(block, x)
    return dx, dweight, dbias
