"""Elements, or slices, sent to where an index tensor says along one dim: scatter, scatter_add, scatter_reduce,
index_reduce."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed, stacklevel
from ..core.device import like
from ..core.dtypes import INDICES
from ..core.function import Function, zeros_beside
from ..core.variable import Variable
from ..core.warned import warn_once
from ._common import ToCopy, element, is_number, on_host, to_dtype, wrap_dim
from ._half import once_in_half
from ._inplace import inplace
from .arithmetic import Where
from .gathering import as_int64, check_slices, refuse_out_of_range
from .index_ops import Gather, Index, IndexPut, Scatter, ScatterAdd, Take, Ungather, cut_to
from .view_scatter import diagonal_scatter, select_scatter, slice_scatter
from .views import broadcast_to, reshape


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """input with src (a tensor, or a number: value) written where index says along `dim`, or with
    reduce='add' or 'multiply' combined into what is there."""
    src = value if src is None else src
    if src is None or (not isinstance(src, Variable) and not is_number(src)):
        raise TypeError(f"scatter(): argument 'src' must be Tensor or Number, not {type(src).__name__}")
    if reduce is not None:
        return _scatter_reducing(input, dim, index, src, reduce)
    if is_number(src):
        src = Function.as_tensor(element(src, input._data.dtype))
        dim, index = _check_scatter("scatter", input, dim, index, None)
    else:
        dim, index = _check_scatter("scatter", input, dim, index, src)
    if not index._data.size:
        return input.clone()
    if not input._data.ndim or not index._data.ndim:
        flat = reshape(src, -1) if src._data.ndim or index._data.ndim == 0 else src
        return Scatter.apply(input.reshape(-1), index.reshape(-1), flat, 0).reshape(input._data.shape)
    return Scatter.apply(input, index, src, dim)


def _scatter_reducing(input, dim, index, src, reduce):
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if isinstance(src, Variable):
        warnings.warn(
            "scatter with reduce and a tensor is deprecated; use scatter_reduce", UserWarning, stacklevel=stacklevel(3)
        )
        if src.requires_grad or input.requires_grad:
            raise RuntimeError(
                "scatter with reduce='add' or 'multiply' has no derivative; use scatter_reduce, which has one"
            )
    else:
        number = like(element(src, input._data.dtype), input._data)
        src = broadcast_to(Function.as_tensor(number), index._data.shape)
    return scatter_reduce(input, dim, index, src, "sum" if reduce == "add" else "prod")


def scatter_add(input, dim, index, src):
    """input with src added where index says along `dim`; what meets adds up."""
    dim, index = _check_scatter("scatter", input, dim, index, src)
    if not index._data.size:
        return input.clone()
    return _scatter_add(input, dim, index, src)


def _on_host_unless_sum(function):
    """CuPy has the means for sums and means alone."""
    elsewhere = on_host(function)

    @functools.wraps(function)
    def call(input, dim, index, src, reduce, *, include_self=True):
        chosen = function if reduce in ("sum", "mean") else elsewhere
        return chosen(input, dim, index, src, reduce, include_self=include_self)

    return call


def _scatter_add(input, dim, index, src):
    """scatter_add of what was checked."""
    shape = input._data.shape
    index, src = _same_dims(index, src, shape)
    if not shape:
        return ScatterAdd.apply(input.reshape(1), index, src, dim).reshape(())
    return ScatterAdd.apply(input, index, src, dim)


@_on_host_unless_sum
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """input with the elements of src that index sends to the same place combined there: reduce is 'sum',
    'prod', 'mean', 'amax' or 'amin'. include_self=False leaves input's own element out where any came."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    dim, index = _check_scatter("scatter", input, dim, index, src)
    if not index._data.size:
        return input.clone()
    shape, own = input._data.shape, input
    came: Any = None
    if reduce == "mean" or (reduce in ("sum", "prod") and not include_self):
        zeros = Function.as_tensor(K.zeros_like(index._data, shape=shape))
        came = _scatter_add(zeros, dim, index, Function.as_tensor(K.ones_like(index._data)))
    if not include_self and reduce not in ("amax", "amin"):
        untouched = came == 0
        neutral = Function.as_tensor(like(element(_neutral(reduce, input._data.dtype), input._data.dtype), input._data))
        own = Where.apply(untouched, input, neutral)
    if reduce in ("sum", "mean"):
        total = _scatter_add(own, dim, index, src)
        if reduce == "sum":
            return total
        count = came + 1 if include_self else came.clamp(min=1)
        if total._data.dtype.kind in "iu":
            return total.div(to_dtype(count, total._data.dtype), rounding_mode="floor")
        if total._data.itemsize == 2:  # a half cannot count beyond a few hundred or thousand
            return to_dtype(to_dtype(total, np.dtype(np.float32)) / count, total._data.dtype)
        return total / to_dtype(count, total._data.dtype)
    if reduce == "prod":
        return _scatter_prod(own, dim, index, src)
    index, src = _same_dims(index, src, shape)
    x = input if shape else input.reshape(1)  # itself where it can be: in place, the node keeps what it was
    y = ScatterExtreme.apply(x, index, src, dim, reduce, include_self)
    return y if shape else y.reshape(shape)


def _neutral(reduce, numpy_dtype):
    """What a place holds before the first element comes, if input's own does not count."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if numpy_dtype.kind in "iu":
        limits = np.iinfo(numpy_dtype)
        return int(limits.min if reduce == "amax" else limits.max)
    if numpy_dtype.kind == "b":
        return reduce == "amin"
    return -np.inf if reduce == "amax" else np.inf


class ScatterExtreme(Function):
    """The largest ('amax') or smallest of x's element and those of src that index sends there; of those of src alone,
    without include_self."""

    torch_name = "ScatterReduceBackward0"

    @staticmethod
    def forward(ctx, x, index, src, dim, reduce, include_self):
        y = x.copy()
        if not include_self:
            neutral = K.asarray(_neutral(reduce, x.dtype), x.dtype)
            K.scatter(cut_to(y, index.shape, dim), index, like(neutral, y), dim)
        K.scatter_extremes(y, index, src, dim, reduce == "amax")
        ctx.dim, ctx.dtype, ctx.include_self = dim, x.dtype, include_self
        ctx.save_for_backward(x, index, src, y)
        return y

    @staticmethod
    def backward(ctx, g):  # shared equally among those that reach the extreme, x's element too, as torch does it
        x, index, src, y = ctx.saved
        mine = ToCopy.apply(x == y, ctx.dtype)
        theirs = ToCopy.apply(src == Gather.apply(y, index, ctx.dim), ctx.dtype)
        share = g / (mine + Ungather.apply(theirs, index, x.shape, ctx.dim))
        dx = share * mine
        if not ctx.include_self:  # which has a share even so, but gets none
            dx = Scatter.apply(dx, index, zeros_beside(dx, ()), ctx.dim)
        return dx, None, Gather.apply(share, index, ctx.dim) * theirs, None, None, None


def _scatter_prod(own, dim, index, src):
    """own times the product of what index sends to each place. Neighbours of one place are multiplied in
    pairs until one is left: a product of ordinary multiplications, so zeros need no care in any
    derivative."""
    shape = own._data.shape
    index, src = _same_dims(index, src, shape)
    grid = np.broadcast_arrays(*K.open_grid(index._data, dim))
    places = K.linear_index(grid, shape or (1,)).reshape(-1)
    order = np.argsort(places, kind="stable")
    places, factors = places[order], Take.apply(src.reshape(-1), order)
    while (places[1:] == places[:-1]).any():
        first = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])  # where each place's factors begin
        rank = np.arange(places.size) - np.repeat(first, np.diff(np.r_[first, places.size]))
        left = np.flatnonzero(rank % 2 == 0)
        right = np.minimum(left + 1, places.size - 1)
        paired = Function.as_tensor((places[left] == places[right]) & (left != right))
        factors = Take.apply(factors, left) * Where.apply(paired, Take.apply(factors, right), 1.0)
        places = places[left]
    flat = own.reshape(-1)
    return IndexPut.apply(flat, Index.apply(flat, (places,)) * factors, (places,)).reshape(shape)


def _same_dims(index, src, shape) -> tuple[Any, Any]:
    """index and the part of src it speaks of, with at least one dim."""
    if src._data.shape != index._data.shape:
        src = src[tuple(slice(n) for n in index._data.shape)]
    if not shape or not index._data.ndim:
        return index.reshape(-1), src.reshape(-1)
    return index, src


def _check_scatter(name, input, dim, index, src):
    """(dim, index) made ready; torch's errors where dtypes, dims or sizes do not fit together."""
    dim = wrap_dim(dim, input._data.ndim)
    if index._data.size and index._data.dtype not in INDICES:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if src is not None and src._data.dtype != input._data.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if not index._data.size:
        return dim, as_int64(index)
    shape, want = input._data.shape or (1,), index._data.shape or (1,)
    if len(want) != len(shape):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    too_large = any(d != dim and n > m for d, (n, m) in enumerate(zip(want, shape, strict=True)))
    have = want if src is None else src._data.shape or (1,)
    beyond_source = len(have) != len(want) or any(n > m for n, m in zip(want, have, strict=True))
    if too_large or beyond_source:
        text = f"Expected index {list(want)} to be no larger than self {list(shape)} apart from dimension {dim}"
        if src is not None:
            text += f" and to be no larger size than src {list(src._data.shape)}"
        raise RuntimeError(text)
    refuse_out_of_range(index._data, dim, shape[dim])
    return dim, as_int64(index)


@once_in_half
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """input with the slices of source that a 1-d index sends to the same place along `dim` combined there: reduce is
    'prod', 'mean', 'amax' or 'amin'. include_self=False leaves input's own slice out where any came."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    warn_once("index_reduce() is in beta and the API may change at any time.")
    dim, shape = wrap_dim(dim, input._data.ndim), input._data.shape
    check_slices("index_reduce_", input, dim, index, source)
    if input._data.dtype.kind == "b":
        raise NotImplementedError("\"index_func_\" not implemented for 'Bool'")
    if not shape:
        result = index_reduce(input.reshape(1), 0, index, source.reshape(1), reduce, include_self=include_self)
        return result.reshape(())
    places = broadcast_to(index.reshape([-1 if d == dim else 1 for d in range(len(shape))]), source._data.shape)
    return scatter_reduce(input, dim, places, source, reduce, include_self=include_self)


listed(globals())


class ScatteringMethods:
    scatter, scatter_add, scatter_reduce = scatter, scatter_add, scatter_reduce
    index_reduce, index_reduce_ = index_reduce, inplace(index_reduce, of_several=True)
    select_scatter, slice_scatter, diagonal_scatter = select_scatter, slice_scatter, diagonal_scatter
    scatter_, scatter_add_, scatter_reduce_ = (
        inplace(scatter),
        inplace(scatter_add),
        inplace(scatter_reduce, of_several=True),
    )
