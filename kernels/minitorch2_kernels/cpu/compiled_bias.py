"""A convolution's bias and every bias's gradient compiled by numba: one pass, on all threads where it is long.

The sums of rows are float64's, so that they are nearer to the exact ones than the reference, and do not depend on how
many threads there are."""

from __future__ import annotations

import numpy as np

from ..reference import bias as reference_bias
from ..reference import sums as reference_sums
from .alike import alike
from .jit import Loops
from .pool import share_loop

loops = Loops("bias_loops")

WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer


def _planes(y, bias) -> bool:
    return alike(y, bias) and y.ndim > 2 and y.size > 0


def add_bias(y, bias):
    """add_bias, compiled."""
    rows = y.reshape(y.shape[0] * y.shape[1], -1)
    share_loop(y.size / WORTH_SHARING, loops.add_bias, len(rows), rows, bias)
    return y


def _has_channels(x) -> bool:
    return alike(x) and x.ndim > 1 and x.size > 0


def channel_sums(x):
    """channel_sums, compiled."""
    channels = x.shape[1]
    total = np.zeros(channels)
    worth = x.size / WORTH_SHARING
    if x.ndim == 2:
        share_loop(worth, loops.column_sums, channels, x, total)
    else:
        images = x.reshape(len(x), channels, -1)
        share_loop(worth, loops.channel_sums, channels, images, total)
    return total.astype(x.dtype, copy=False)


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference_bias.add_bias.override(_planes)(add_bias)
    reference_sums.channel_sums.override(_has_channels)(channel_sums)
