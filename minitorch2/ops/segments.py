"""segment_reduce: sums, means, products and extremes of pieces that follow each other along a dim."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.dtypes import INDICES
from ..core.function import Function, called
from ._common import ToCopy, on_host, require_floating, to_dtype
from .arithmetic import Where
from .index_ops import Gather, Ungather
from .scattering import scatter_reduce
from .views import expand, narrow, reshape

_NAMES = {"sum": "sum", "mean": "mean", "prod": "prod", "max": "amax", "min": "amin", "amax": "amax", "amin": "amin"}
_OF_NOTHING = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "amax": -math.inf, "amin": math.inf}


class Extremes(Function):
    """y, which holds the extremes of x's pieces; the gradient is shared equally among those that reach it."""

    @staticmethod
    def forward(ctx, x, y, index, dim):
        ctx.save_for_backward(x, y, index)
        ctx.dim, ctx.dtype = dim, x.dtype
        return y.copy()

    @staticmethod
    def backward(ctx, g):
        x, y, index = ctx.saved
        reached = ToCopy.apply(x == Gather.apply(y, index, ctx.dim), ctx.dtype)
        count = Ungather.apply(reached, index, y.shape, ctx.dim)
        share = g / Where.apply(count == 0, 1.0, count)
        return Gather.apply(share, index, ctx.dim) * reached, None, None, None


@on_host
def segment_reduce(
    data, reduce, *, lengths: Any = None, indices=None, offsets: Any = None, axis=0, unsafe=False, initial=None
):
    """data (..., n, *) reduced along `axis`, piece by piece, to (..., s, *): reduce is 'sum', 'mean', 'max', 'min' or
    'prod'. The pieces follow each other and are given by their lengths (..., s) or by the offsets (..., s + 1) where
    they begin and end. initial is one element more of each; a piece of none gives initial, else 0, nan, an infinity, 1.

    RuntimeError for lengths that do not add up to n, unless unsafe.
    """
    reduce = _checked(data, reduce, lengths, indices, offsets, axis)
    shape = data._data.shape
    n, behind = shape[axis], (1,) * (len(shape) - axis - 1)
    bounds = _bounds(lengths._data, n, unsafe) if offsets is None else offsets._data
    count = bounds.shape[-1] - 1
    index = expand(reshape(Function.as_tensor(_pieces(bounds, n)), (*shape[: axis + 1], *behind)), shape)
    start = _OF_NOTHING[reduce] if initial is None else initial
    start = K.full_like(data._data, start, shape=(*shape[:axis], count + 1, *shape[axis + 1 :]))
    start = Function.as_tensor(start)  # its last piece is for what belongs to none
    if reduce in ("amax", "amin"):
        extremes = scatter_reduce(start, axis, index, data.detach(), reduce)
        result = Extremes.apply(data, extremes, index, axis)
    else:
        result = scatter_reduce(start, axis, index, data, "sum" if reduce == "mean" else reduce)
    result = narrow(result, axis, 0, count)
    if reduce == "mean":
        sizes = np.diff(bounds, axis=-1).reshape(*bounds.shape[:-1], count, *behind)
        divisor = to_dtype(Function.as_tensor(np.maximum(sizes, 1)), data._data.dtype)
        result = Where.apply(Function.as_tensor(sizes == 0), math.nan if initial is None else initial, result / divisor)
    return called("SegmentReduceBackward0", result.contiguous())


def _checked(data, reduce, lengths, indices, offsets, axis) -> str:
    """The reduction's name in scatter_reduce."""
    if reduce not in _NAMES:
        raise RuntimeError(f"segment_reduce(): {reduce} is not a supported reduction: sum, mean, max, min or prod")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    given: Any = lengths if offsets is None else offsets
    if given._data.dtype not in INDICES:
        kind = given.dtype.torch_type
        raise NotImplementedError(f"\"_segment_reduce_lengths_cpu_kernel1\" not implemented for '{kind}'")
    require_floating("_segment_reduce_cpu", data)
    if axis != given._data.ndim - 1:
        name = "lengths" if offsets is None else "offsets"
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}.")
    return _NAMES[reduce]


def _bounds(lengths, n: int, unsafe: bool) -> np.ndarray:
    """Where the pieces of these lengths begin, and the last one ends."""
    if not unsafe:
        if lengths.size and lengths.min() < 0:
            raise RuntimeError("lengths contains negative value!")
        if (lengths.sum(axis=-1) != n).any():
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
                "!unsafe."
            )
    return np.concatenate([np.zeros((*lengths.shape[:-1], 1), np.int64), np.cumsum(lengths, axis=-1)], axis=-1)


def _pieces(bounds, n: int) -> np.ndarray:
    """For each of n places the number of its piece, one more than there are for a place in none. int64."""
    rows = bounds.reshape(-1, bounds.shape[-1])
    numbers = np.stack([np.searchsorted(row, np.arange(n), side="right") for row in rows]) - 1
    numbers[numbers < 0] = bounds.shape[-1] - 1
    return numbers.reshape(*bounds.shape[:-1], n)
