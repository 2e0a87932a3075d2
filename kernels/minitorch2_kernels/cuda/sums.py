"""The gradients of biases on the GPU: sums over all dims but one, by more blocks than there are sums.

CuPy's reductions give every sum one block, or less: of a layer's 64 channels half the processors see nothing. Here a
channel or a column is summed in parts, by as many blocks as fill the device, and the parts then in their order.
"""

from __future__ import annotations

import math

import cupy
import numpy as np

from ..reference import sums as reference
from .arguments import MOST, alike, packed
from .launch import THREADS, acc, function, launch

BLOCKS = 1024  # that keep a GPU busy
DOWN = 8  # as in sums.cu
LEAST = 16  # additions of a thread, for a part to be worth adding up once more


def _supports(x) -> bool:
    return alike(x) and x.ndim >= 2 and x.size > 0 and x.shape[1] <= MOST // BLOCKS


def _columns(x, out, rows: int, columns: int) -> None:
    """out (columns,) = the sums of x (rows, columns) down the columns."""
    across = -(-columns // 32)
    parts = max(1, min(-(-BLOCKS // across), rows // (DOWN * LEAST)))
    sizes, block = (np.int64(rows), np.int64(columns)), (32, DOWN)
    if parts == 1:
        launch(function("sums.cu", "column_sums", out.dtype), (across, 1), block, (x, out, *sizes))
        return
    partial = cupy.empty((parts, columns), acc(out.dtype))
    launch(function("sums.cu", "column_parts", out.dtype), (across, parts), block, (x, partial, *sizes))
    _totals(partial, out)


def _totals(parts, out) -> None:
    """out (columns,) = the sums of parts (rows, columns), of which there are few."""
    rows, columns = parts.shape
    sizes = np.int64(rows), np.int64(columns)
    launch(function("sums.cu", "column_totals", out.dtype), (-(-columns // 32), 1), (32, DOWN), (parts, out, *sizes))


@reference.channel_sums.cuda_override(_supports)
def channel_sums(x):
    """channel_sums in two launches, or one where it is little."""
    x = packed(x)
    outer, channels, inner = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    out = cupy.empty(channels, x.dtype)
    if inner == 1:
        _columns(x, out, outer, channels)
        return out
    parts = max(1, min(-(-BLOCKS // channels), outer * inner // (THREADS * LEAST)))
    partial = cupy.empty((parts, channels), acc(x.dtype))
    arguments = x, partial, np.int64(outer), np.int32(channels), np.int64(inner), np.int32(parts)
    launch(function("sums.cu", "channel_parts", x.dtype), parts * channels, THREADS, arguments)
    if parts == 1 and partial.dtype == x.dtype:
        return partial.reshape(channels)
    _totals(partial, out)
    return out
