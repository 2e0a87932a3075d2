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


def _columns(x, rows: int, columns: int):
    """(columns,): the sums of x (rows, columns) down the columns."""
    across = -(-columns // 32)
    parts = max(1, min(-(-BLOCKS // across), rows // (DOWN * LEAST)))
    sizes, block = (np.int64(rows), np.int64(columns)), (32, DOWN)
    if parts == 1:
        out = cupy.empty(columns, x.dtype)
        launch(function("sums.cu", "column_sums", x.dtype), (across, 1), block, (x, out, *sizes))
        return out
    partial = cupy.empty((parts, columns), acc(x.dtype))
    launch(function("sums.cu", "column_parts", x.dtype), (across, parts), block, (x, partial, *sizes))
    return totals(partial, x.dtype)


def totals(parts, dtype):
    """(columns,) of this dtype: the sums of parts (rows, columns), of which there are few; acc(dtype) is theirs."""
    rows, columns = parts.shape
    if rows == 1 and parts.dtype == dtype:
        return parts.reshape(columns)
    out = cupy.empty(columns, dtype)
    sizes = np.int64(rows), np.int64(columns)
    launch(function("sums.cu", "column_totals", dtype), (-(-columns // 32), 1), (32, DOWN), (parts, out, *sizes))
    return out


@reference.channel_sums.cuda_override(_supports)
def channel_sums(x):
    """channel_sums in two launches, or one where it is little."""
    x = packed(x)
    outer, channels, inner = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    if inner == 1:
        return _columns(x, outer, channels)
    parts = max(1, min(-(-BLOCKS // channels), outer * inner // (THREADS * LEAST)))
    partial = cupy.empty((parts, channels), acc(x.dtype))
    arguments = x, partial, np.int64(outer), np.int32(channels), np.int64(inner), np.int32(parts)
    launch(function("sums.cu", "channel_parts", x.dtype), parts * channels, THREADS, arguments)
    return totals(partial, x.dtype)
