"""Arrays put one after the other on the GPU, in one launch.

CuPy copies two to eight arrays one by one; of more it sends the addresses to the device first, which a graph under
capture does not allow.
"""

from __future__ import annotations

import functools
import itertools
import math

import cupy
import numpy as np

from ..reference import joining as reference
from .arguments import packed
from .launch import MAX_BLOCKS, THREADS, by_value, function, launch

_SMALL, _LARGE = 32, 512  # arrays in a launch: the less there may be, the less there is to hand over


@functools.cache
def _layout(arrays: int) -> np.dtype:
    """joining.cu's Table."""
    return np.dtype([("from", "u8", arrays), ("width", "i8", arrays), ("start", "i8", arrays)])


def _supports(arrays, axis) -> bool:
    dtype = getattr(arrays[0], "dtype", None)
    return all(isinstance(a, cupy.ndarray) and a.dtype == dtype for a in arrays) and arrays[0].itemsize in (1, 2, 4, 8)


@reference.joined.cuda_override(_supports)
def joined(arrays, axis):
    """joined in one launch."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    rows, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    widths = [a.shape[axis] * inner for a in arrays]
    starts = list(itertools.accumulate(widths, initial=0))
    y = cupy.empty((*shape[:axis], sum(a.shape[axis] for a in arrays), *shape[axis + 1 :]), dtype)
    if not y.size:
        return y
    arrays = [packed(a) for a in arrays]
    for first in range(0, len(arrays), _LARGE):
        part = slice(first, min(first + _LARGE, len(arrays)))
        count = part.stop - first
        most = _SMALL if count <= _SMALL else _LARGE
        table = np.zeros((), _layout(most))
        table["from"][:count] = [a.data.ptr for a in arrays[part]]
        table["width"][:count], table["start"][:count] = widths[part], starts[part]
        blocks = min(-(-rows * max(widths[part]) // THREADS), -(-MAX_BLOCKS // count))
        kernel = function("joining.cu", "join", ARRAYS=most, BYTES=y.itemsize)
        arguments = by_value(table), y, np.int64(rows), np.int64(starts[-1])
        launch(kernel, (max(blocks, 1), count), THREADS, arguments)
    return y
