"""Order: sort, topk, median, quantile. NaN counts as the largest number, as in NumPy.

What is sorted are indices; the values are then picked by them, so one op carries the gradients of all.
"""

from __future__ import annotations

import operator

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.device import like
from ..core.function import Function, called
from ..core.memory_order import in_c_order, in_order_of
from ..core.variable import Variable
from . import _return_types as return_types
from ._common import between, on_host, require_flags, wrap_dim
from .gathering import gather
from .mixing import lerp
from .reduce import PickAlong, keep_dims, spread
from .views import movedim, reshape, squeeze, unsqueeze


def sort(input, dim=-1, descending=False, stable=None):
    """(values, indices) in order along `dim`. Equal elements keep theirs, whether stable is asked for or not."""
    if stable is not None:
        require_flags("sort", {"stable": 3}, (), {"stable": stable})
    dim = wrap_dim(dim, input._data.ndim)
    indices = Function.as_tensor(in_order_of(_order(input, dim, descending), [input._data]))
    values = Sorted.apply(input, indices, dim, True) if input._data.ndim else input.clone()
    return return_types.sort(called("SortBackward0", values), indices)


def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort input along `dim`."""
    order = _order(input, wrap_dim(dim, input._data.ndim), descending)
    return Function.as_tensor(in_order_of(order, [input._data]))


def msort(input):
    """The values in order along the first dim."""
    return sort(input, dim=0).values


def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) elements along `dim`, in order."""
    if input._data.dtype.kind == "b":
        raise RuntimeError("topk does not support bool dtypes on CPU")
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim] if input._data.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError("selected index k out of range")
    indices = Function.as_tensor(in_c_order(_first_few(input, k, dim, largest)))
    return return_types.topk(called("TopkBackward0", _pick(input, indices, dim, True)), indices)


def kthvalue(input, k, dim=-1, keepdim=False):
    """(value, index) of the k-th smallest element along `dim`, counted from 1."""
    _refuse_bool("kthvalue", input)
    if isinstance(k, bool):
        raise TypeError("kthvalue(): argument 'k' (position 2) must be int, not bool")
    (dim, n), k = _nonempty_dim("kthvalue", input, dim), operator.index(k)
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")

    def rank(data):
        return K.full_like(data, k - 1, dtype=K.int64, shape=(*data.shape[:-1], 1))

    return _at_rank(return_types.kthvalue, input, dim, keepdim, rank)


def median(input, dim=None, keepdim=False):
    """The middle element (the lower of two), NaN if there is one; with dim, (values, indices) along it."""
    _refuse_bool("median", input)
    if dim is None:
        return _median_of_all("median", input, _rank_of_median)
    dim, _ = _nonempty_dim("median", input, dim)
    return _at_rank(return_types.median, input, dim, keepdim, _rank_of_median)


def nanmedian(input, dim=None, keepdim=False):
    """The median of the elements that are not NaN; with dim, (values, indices) along it."""
    _refuse_bool("median", input)
    if dim is None:
        return _median_of_all("nanmedian", input, _rank_of_nanmedian)
    dim, _ = _nonempty_dim("nanmedian", input, dim)
    return _at_rank(return_types.nanmedian, input, dim, keepdim, _rank_of_nanmedian)


@on_host
def mode(input, dim=-1, keepdim=False):
    """(values, indices) of the most frequent element along `dim`: the smallest of several, where it stands
    last."""
    dim, n = _nonempty_dim("mode", input, dim)
    order = _order(input, dim, False)
    if not input._data.ndim:
        return return_types.mode(input.clone(), Function.as_tensor(order))
    ordered = np.moveaxis(K.take_along_axis(_comparable(input), order, axis=dim), dim, -1)
    position = np.arange(n)
    starts = np.concatenate([np.ones((*ordered.shape[:-1], 1), bool), ordered[..., 1:] != ordered[..., :-1]], axis=-1)
    run = position - np.maximum.accumulate(np.where(starts, position, 0), axis=-1)  # how many equals stand before
    last = np.expand_dims(np.argmax(run, axis=-1), dim)
    indices = Function.as_tensor(K.take_along_axis(order, last, axis=dim))
    return _picked(return_types.mode, input, indices, dim, keepdim)


class Sorted(PickAlong):
    """All elements along `dim`, in the order that `indices` say; in memory they lie as x's do."""

    row_major = False

    @staticmethod
    def forward(ctx, x, indices, dim, keepdim):
        return in_order_of(PickAlong.forward(ctx, x, indices, dim, keepdim), [x])


class MedianOfAll(Function):
    """The element of a given rank; the gradient is shared equally among those equal to it."""

    torch_name = "MedianBackward0"

    @staticmethod
    def forward(ctx, x, index):
        y = x.reshape(-1)[index].reshape(())
        equal = (x == y) | (x != x) & (y != y)
        ctx.save_constants((equal / equal.sum()).astype(x.dtype))
        return y

    @staticmethod
    def backward(ctx, g):
        (share,) = ctx.constants
        return spread(g, share.shape, tuple(range(share.ndim))) * share, None


def _refuse_bool(name, input):
    if input._data.dtype.kind == "b":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'; convert with .int()")


def _median_of_all(name, input, rank):
    if not input._data.size:
        if input._data.dtype.kind not in "fV":
            raise RuntimeError(f"{name}(): an empty tensor of integers has no median")
        return input.sum() * float("nan")
    flat = reshape(input, -1)
    return MedianOfAll.apply(input, _index_at_rank(flat, 0, rank))


def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-th quantile (q in [0, 1], a number or a 1-d tensor whose dim then stands in front) of all
    elements, or along `dim`. Between two elements: interpolation 'linear', 'lower', 'higher', 'midpoint'
    or 'nearest'."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, ignore_nan=False)


def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """quantile of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, ignore_nan=True)


def _quantile(name, input, q, dim, keepdim, interpolation, ignore_nan):
    q = _checked_q(name, input, q, interpolation)
    ndim = input._data.ndim
    if dim is None:
        rows, reduced = reshape(input, -1), range(ndim)
    else:
        dim = wrap_dim(dim, ndim)
        rows, reduced = movedim(input, dim, -1) if ndim else reshape(input, 1), (dim,) if ndim else ()
    ordered = sort(rows, dim=-1).values  # (..., n)
    n, data = ordered._data.shape[-1], ordered._data
    is_nan = np.isnan(data)
    if ignore_nan:
        last = np.maximum(n - 1 - is_nan.sum(axis=-1, keepdims=True), 0)
    else:
        last = K.full_like(data, n - 1, shape=(*data.shape[:-1], 1))
    rank = Function.as_tensor(last.astype(data.dtype)) * reshape(q, -1)  # (..., q)
    if not ignore_nan:  # a row with a NaN has it last
        rank = rank.masked_fill(Function.as_tensor(is_nan[..., -1:]), n - 1)
    if interpolation in ("lower", "higher", "nearest"):
        rounded = {"lower": rank.floor, "higher": rank.ceil, "nearest": rank.round}[interpolation]()
        result = gather(ordered, -1, rounded.detach().long())
    else:
        below, above = rank.detach().floor(), rank.detach().ceil()
        weight = rank - below if interpolation == "linear" else 0.5
        result = lerp(gather(ordered, -1, below.long()), gather(ordered, -1, above.long()), weight)
    if not q._data.ndim:
        result = squeeze(result, -1)
    else:
        result = movedim(result, -1, 0)
    if keepdim:
        for d in reduced:
            result = unsqueeze(result, d + q._data.ndim)
    return result


def _checked_q(name, input, q, interpolation):
    dtype = input._data.dtype
    if dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if not input._data.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, Variable):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
        return Function.as_tensor(like(np.asarray(q, dtype), input._data))
    if q._data.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q._data.dtype != dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if not between(q._data, 0, 1):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    return q


def _order(input, dim, descending):
    """The indices of input's elements in order along dim, equals in theirs."""
    data = _comparable(input)
    if not data.ndim:
        return K.zeros_like(input._data, dtype=K.int64)
    return K.order(data, dim, descending)


def _first_few(input, k, dim, largest):
    data = _comparable(input)
    return K.first_few(data, k, dim, largest) if data.ndim else K.zeros_like(input._data, dtype=K.int64)


def _rank_of_median(data):
    """The middle; where there is a NaN, the first of those, which are sorted to the end."""
    n = data.shape[-1]
    nans = (data != data).sum(axis=-1, keepdims=True)
    return np.where(nans > 0, n - nans, (n - 1) // 2)


def _rank_of_nanmedian(data):
    numbers = (data == data).sum(axis=-1, keepdims=True)
    return np.maximum(numbers - 1, 0) // 2


def _index_at_rank(input, dim, rank):
    """Where the element of that rank along dim is; the dim stays, with size 1."""
    order = np.moveaxis(_order(input, dim, False), dim, -1)
    ranks = K.asarray(rank(np.moveaxis(_comparable(input), dim, -1)))
    chosen = K.take_along_axis(order, np.broadcast_to(ranks, (*order.shape[:-1], 1)), axis=-1)
    return in_c_order(chosen).reshape(keep_dims(input._data.shape, (dim,)))


def _at_rank(kind, input, dim, keepdim, rank):
    if not input._data.ndim:
        return kind(input.clone(), Function.as_tensor(K.zeros_like(input._data, dtype=K.int64)))
    return _picked(kind, input, Function.as_tensor(_index_at_rank(input, dim, rank)), dim, keepdim)


def _picked(kind, input, indices, dim, keepdim):
    values = _pick(input, indices, dim, keepdim)
    return kind(values, indices if keepdim else squeeze(indices, dim))


def _pick(input, indices, dim, keepdim):
    if not input._data.ndim:
        return input.clone()
    return PickAlong.apply(input, indices, dim, keepdim)


def _nonempty_dim(name, input, dim):
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim] if input._data.ndim else 1
    if not n:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    return dim, n


def _comparable(x):
    return K.widen(x._data) if x._data.dtype.kind == "V" else x._data


listed(globals())


class SortingMethods:
    sort, argsort, msort, topk, kthvalue = sort, argsort, msort, topk, kthvalue
    median, nanmedian, mode, quantile, nanquantile = median, nanmedian, mode, quantile, nanquantile
