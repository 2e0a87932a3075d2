"""Reductions: sum, mean, var, max and their kin, over all dims or some."""

from __future__ import annotations

import math
import warnings
from typing import Any

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import listed, stacklevel
from ..core.function import Function, called
from ..core.variable import Variable
from . import _return_types as return_types
from ._common import ToCopy, asked_dtype, numpy_names, require_tensor, to_dtype, wrap_dim, wrap_dims
from .arithmetic import Where, maximum, minimum
from .view_ops import Cat, Expand, Reshape, Slice


class Sum(Function):
    row_major = True

    @staticmethod
    def forward(ctx, x, dims, keepdim):
        ctx.shape, ctx.dims = x.shape, dims
        return K.sums(x, dims, keepdim)

    @staticmethod
    def backward(ctx, g):  # every summed element has slope 1
        return spread(g, ctx.shape, ctx.dims), None, None


class Mean(Function):
    row_major = True

    @staticmethod
    def forward(ctx, x, dims, keepdim):
        ctx.shape, ctx.dims = x.shape, dims
        ctx.count = math.prod(x.shape[d] for d in dims)
        return K.sums(x, dims, keepdim) / (ctx.count or math.nan)

    @staticmethod
    def backward(ctx, g):
        return spread(g / (ctx.count or 1), ctx.shape, ctx.dims), None, None  # over none, no element sees it


class Amax(Function):
    """The largest element over dims; the gradient is shared equally among those that reach it."""

    row_major = True
    largest = True

    @classmethod
    def forward(cls, ctx, x, dims, keepdim):
        y = K.extremes(x, tuple(sorted(dims)), keepdim, cls.largest) if dims else x.copy()
        ctx.dims, ctx.dtype = dims, x.dtype
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved
        if y.ndim < x.ndim:
            y, g = (Reshape.apply(a, keep_dims(x.shape, ctx.dims)) for a in (y, g))
        reached = x == y
        count = Sum.apply(ToCopy.apply(reached, ctx.dtype), ctx.dims, True)
        return Where.apply(reached, g / count, 0.0), None, None


class Amin(Amax):
    largest = False


class MaxAll(Amax):
    torch_name = "MaxBackward1"


class MinAll(Amin):
    torch_name = "MinBackward1"


class Var(Function):
    """sum((x - mean)^2) / max(0, n - correction)"""

    row_major = True

    @staticmethod
    def forward(ctx, x, dims, correction, keepdim):
        ctx.save_for_backward(x)
        ctx.dims = dims
        n = math.prod(x.shape[d] for d in dims)
        ctx.count, ctx.degrees = n, n - correction if n > correction else 0
        centred = K.minus(x, K.sums(x, dims, True) / (n or math.nan))
        squares = K.sums(K.times(centred, centred), dims, keepdim)
        return K.divide(squares, x.dtype.type(ctx.degrees))

    @staticmethod
    def backward(ctx, g):  # d var = 2 (x - mean) / (n - c) dx; the mean's own part sums to zero
        (x,) = ctx.saved
        centred = K.minus(x, Sum.apply(x, ctx.dims, True) / (ctx.count or math.nan))
        slope = 2 / ctx.degrees if ctx.degrees else math.inf
        g = g if g.ndim == x.ndim else Reshape.apply(g, keep_dims(x.shape, ctx.dims))
        return K.times(centred, slope * g), None, None, None


class Std(Function):
    """The square root of Var, with slope 0 where it is 0."""

    row_major = True

    @staticmethod
    def forward(ctx, variance):
        y = K.sqrt(variance)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved
        return Where.apply(y == 0, 0.0, g / (2 * y))


class PickAlong(Function):
    """The elements that `indices` (keepdim shape) picks along `dim`: the values of max, min, median, kthvalue."""

    row_major = True
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, indices, dim, keepdim):
        ctx.save_constants(indices)
        ctx.shape, ctx.dim = x.shape, dim
        picked = K.take_along_axis(x, indices, axis=dim)
        return picked if keepdim else picked.reshape(x.shape[:dim] + x.shape[dim + 1 :])

    @staticmethod
    def backward(ctx, g):  # to the picked elements alone
        (indices,) = ctx.constants
        g = Reshape.apply(g, keep_dims(ctx.shape, (ctx.dim,))) if g.ndim != len(ctx.shape) else g
        return PutAlong.apply(g, indices, ctx.shape, ctx.dim), None, None, None


class PutAlong(Function):
    """Zeros of `shape` with g put where `indices` say: PickAlong's transpose."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, g, indices, shape, dim):
        ctx.save_constants(indices)
        ctx.dim = dim
        x = K.zeros_like(g, shape=shape)
        K.scatter(x, indices, g, dim)
        return x

    @staticmethod
    def backward(ctx, gg):
        (indices,) = ctx.constants
        return PickAlong.apply(gg, indices, ctx.dim, True), None, None, None


def keep_dims(shape, dims) -> tuple[int, ...]:
    """`shape` with the reduced dims at size 1."""
    return tuple(1 if i in dims else n for i, n in enumerate(shape))


def spread(g, shape, dims):
    """A reduction's gradient over its input's shape: Sum's transpose."""
    return Expand.apply(Reshape.apply(g, keep_dims(shape, dims)), tuple(shape))


@numpy_names
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all elements, or over dim(s). Integers and bools are summed as int64."""
    require_tensor("sum", input)
    if dtype is not None:
        return sum_in(input, dtype, dim, keepdim)
    if input._data.dtype.kind in "biu":
        input = to_dtype(input, dtypes.int64.numpy)
    total = Sum.apply(input, reduced_dims(dim, input), keepdim)
    return total if dim is None else called("SumBackward1", total)


def sum_in(input, dtype, dim, keepdim):
    """The sum in a dtype that was asked for: autocast leaves it alone."""
    input = asked_dtype("sum", input, dtype)
    return Sum.apply(input, reduced_dims(dim, input), keepdim)


@numpy_names
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all elements, or over dim(s); nan over none. Floating dtypes only."""
    require_tensor("mean", input)
    if dtype is not None:
        input = to_dtype(input, dtypes.as_dtype(dtype, "mean").numpy)
    _require_float("mean", input)
    average = Mean.apply(input, reduced_dims(dim, input), keepdim)
    return average if dim is None else called("MeanBackward1", average)


@numpy_names
def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The variance: sum((x - mean)^2) / (n - correction), correction 1 (unbiased) unless told."""
    return _variance("var", input, dim, unbiased, keepdim, correction)


@numpy_names
def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The standard deviation, the square root of var."""
    return Std.apply(_variance("std", input, dim, unbiased, keepdim, correction))


@numpy_names
def var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(var, mean)."""
    dim, correction = _correction(dim, unbiased, correction)
    return _variance("var_mean", input, dim, True, keepdim, correction), mean(input, dim, keepdim)


@numpy_names
def std_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(std, mean)."""
    dim, correction = _correction(dim, unbiased, correction)
    return Std.apply(_variance("std_mean", input, dim, True, keepdim, correction)), mean(input, dim, keepdim)


def _variance(op, input, dim, unbiased, keepdim, correction):
    dim, correction = _correction(dim, unbiased, correction)
    if input._data.dtype.kind not in "fV":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    dims = reduced_dims(dim, input)
    if math.prod(input._data.shape[d] for d in dims) <= correction:
        warnings.warn(
            f"{op}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
            "numel divided by output numel).",
            stacklevel=stacklevel(4),
        )
    return Var.apply(input, dims, correction, keepdim)


def _correction(dim, unbiased, correction):
    if isinstance(dim, bool):  # var(x, False): torch's oldest overload
        dim, unbiased = None, dim
    return dim, int(unbiased) if correction is None else correction


@numpy_names
def amax(input, dim=(), keepdim=False):
    """The largest element over dim(s), all by default; the gradient is shared among equals."""
    return _extreme(Amax, "amax", input, dim, keepdim)


@numpy_names
def amin(input, dim=(), keepdim=False):
    """The smallest element over dim(s), all by default; the gradient is shared among equals."""
    return _extreme(Amin, "amin", input, dim, keepdim)


@numpy_names
def aminmax(input, *, dim=None, keepdim=False):
    """(amin, amax)."""
    dims = () if dim is None else dim
    if 0 in [input._data.shape[d] for d in reduced_dims(dim, input)]:
        if dim is not None:
            raise IndexError(f"aminmax: Expected reduction dim {dim} to have non-zero size.")
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    return return_types.aminmax(amin(input, dims, keepdim), amax(input, dims, keepdim))


def _extreme(op, name, input, dim, keepdim):
    dims = reduced_dims(dim, input)
    if not input._data.size and dim in (None, (), []):
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )
    for d in dims:
        if input._data.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
    return op.apply(input, dims, keepdim)


@numpy_names
def max(input, dim=None, keepdim=False, *, other=None) -> Any:
    """The largest element; with dim, (values, indices) along it; with a tensor, maximum(input, other)."""
    if other is not None or isinstance(dim, Variable):
        return _pairwise("max", maximum, input, dim, other)
    return _max_or_min(input, dim, keepdim, "max", MaxAll, return_types.max)


@numpy_names
def min(input, dim=None, keepdim=False, *, other=None) -> Any:
    """The smallest element; with dim, (values, indices) along it; with a tensor, minimum(input, other)."""
    if other is not None or isinstance(dim, Variable):
        return _pairwise("min", minimum, input, dim, other)
    return _max_or_min(input, dim, keepdim, "min", MinAll, return_types.min)


def _pairwise(name, function, input, dim, other):
    require_tensor(name, input)
    if other is not None and dim is not None:
        raise TypeError(f"{name}() takes a dim or another tensor, not both")
    return function(input, dim if other is None else other)


def _max_or_min(input, dim, keepdim, name, whole, pair):
    if dim is None:
        if input._data.size == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        return whole.apply(input, tuple(range(input._data.ndim)), False)
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim == 0:
        return pair(input.clone(), Function.as_tensor(K.zeros_like(input._data, dtype=K.int64)))
    indices = _positions(name, input, dim, True)
    values = called(f"{name.capitalize()}Backward0", PickAlong.apply(input, indices, dim, keepdim))
    return pair(values, indices if keepdim else indices.squeeze(dim))


@numpy_names
def argmax(input, dim=None, keepdim=False):
    """The index of the largest element (the first of equals): in the flattened tensor, or along dim. int64."""
    _refuse_bool("argmax", input)
    return _positions("max", input, dim, keepdim)


@numpy_names
def argmin(input, dim=None, keepdim=False):
    """The index of the smallest element (the first of equals): in the flattened tensor, or along dim. int64."""
    _refuse_bool("argmin", input)
    return _positions("min", input, dim, keepdim)


def _refuse_bool(name, input):
    if input._data.dtype.kind == "b":
        raise RuntimeError(f"{name}(): does not support bool input; convert with .int() first")


def _positions(which, input, dim, keepdim):
    """Where the max or min stands."""
    name = f"arg{which}"
    data = input._data if input._data.dtype.kind != "V" else K.widen(input._data)
    if dim is not None:
        dim = wrap_dim(dim, data.ndim)
        if data.ndim and data.shape[dim] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    elif data.size == 0:
        raise IndexError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
            "dim with the 'dim' argument."
        )
    if data.ndim == 0:
        return Function.as_tensor(K.zeros_like(input._data, dtype=K.int64))
    return Function.as_tensor(K.positions(data, dim, keepdim, which == "max"))


@numpy_names
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over all elements, or along one dim. Integers and bools are multiplied as int64."""
    if dtype is not None:
        input = asked_dtype("prod", input, dtype)
    elif input._data.dtype.kind in "biu":
        input = to_dtype(input, dtypes.int64.numpy)
    if dim is None:
        return Prod.apply(input.reshape(-1), 0, False)
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim == 0:
        return input.clone()
    return Prod.apply(input, dim, keepdim)


class Prod(Function):
    row_major = True

    @staticmethod
    def forward(ctx, x, dim, keepdim):
        y = K.products(x, dim, keepdim)
        ctx.save_for_backward(x, y)
        ctx.dim = dim
        ctx.divides = ctx.needs_input_grad[0] and not K.on_device(x) and bool(K.all(x))  # a GPU would have to be asked
        return y

    @staticmethod
    def backward(ctx, g):
        # The slope of a product is the product of the others: the whole by the factor itself, or where one is zero the
        # factors before times those after.
        x, y = ctx.saved
        if ctx.divides:
            return spread(g * y, x.shape, (ctx.dim,)) / x, None, None
        n = x.shape[ctx.dim]
        dim = (slice(None),) * ctx.dim
        others = []
        before = None
        after = [None] * n
        for i in range(n - 1, 0, -1):
            part = Slice.apply(x, (*dim, slice(i, i + 1)))
            after[i - 1] = part if after[i] is None else part * after[i]
        for i in range(n):
            factors = [f for f in (before, after[i]) if f is not None]
            part = Slice.apply(x, (*dim, slice(i, i + 1)))
            others.append(factors[0] * factors[1] if len(factors) == 2 else factors[0] if factors else part * 0 + 1)
            before = part if before is None else before * part
        slope = Cat.apply(ctx.dim, *others) if n else x
        return spread(g, x.shape, (ctx.dim,)) * slope, None, None


def reduced_dims(dim, input) -> tuple[int, ...]:
    """The dims to reduce; torch takes an empty list for all of them."""
    if isinstance(dim, tuple | list) and not dim:
        dim = None
    return wrap_dims(dim, input._data.ndim)


def _require_float(op, input):
    if input._data.dtype.kind not in "fV":
        raise RuntimeError(
            f"{op}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {input.dtype.torch_type}"
        )


listed(globals())


class ReduceMethods:
    sum, mean, var, std, prod = sum, mean, var, std, prod
    amax, amin, aminmax, max, min, argmax, argmin = amax, amin, aminmax, max, min, argmax, argmin
