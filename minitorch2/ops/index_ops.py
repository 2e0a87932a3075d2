"""The ops behind indexing with arrays. Reading and adding are each other's derivatives, so the family is
closed."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Function
from ..core.memory_order import axes_in_order, broadcast_strides, copy_in_order, copy_like, in_c_order
from .arithmetic import Where
from .view_ops import Reshape, Slice, sum_to


class UnsqueezeIndex(Slice):
    """A basic index that ends in None."""

    torch_name = "UnsqueezeBackward0"


class AliasIndex(Slice):
    """A basic index that leaves everything as it is."""

    torch_name = "AliasBackward0"


class Index(Function):
    """x[index] where index holds integer arrays, or one mask, among full slices: a copy."""

    keeps_dtype = True
    single_use = True

    @staticmethod
    def forward(ctx, x, index):
        return _in_memory_order(_read(ctx, x, index), x, index)

    @staticmethod
    def backward(ctx, g):  # every reading of an element gives it its share
        return IndexAccumulate.apply(g, ctx.shape, ctx.index), None


class IndexSelect(Index):
    """Whole slices of x along one dim, which torch puts in row-major order."""

    row_major = True

    @staticmethod
    def forward(ctx, x, index):
        return _read(ctx, x, index)


class RepeatSlices(IndexSelect):
    """Each slice as often as a number says, of which torch's keeps no index."""

    single_use = False
    torch_name = "ViewBackward0"


def _read(ctx, x, index):
    ctx.shape, ctx.index = x.shape, index
    try:
        axis = _only_axis(index)
        if axis is None:
            return K.asarray(x[index])
        slices = K.take_slices(x, index[axis].reshape(-1), axis)
        return slices.reshape((*x.shape[:axis], *index[axis].shape, *x.shape[axis + 1 :]))
    except IndexError:
        explain_out_of_range(x.shape, index)
        raise


def _only_axis(index):
    """The axis along which one array of indices is read, and everything along the others; None for other indices."""
    arrays = [d for d, i in enumerate(index) if not isinstance(i, slice)]
    (axis, *others) = arrays
    return None if others or index[axis].dtype.kind == "b" else axis


def _in_memory_order(y, x, index):
    """y = x[index] in the order of memory that torch gives it, a copy where it has another: x's as far as it goes, then
    that of the indices; row-major where these are."""
    if x.flags.c_contiguous and all(isinstance(i, slice) or i.flags.c_contiguous for i in index):
        return in_c_order(y)
    arrays, sliced, places, dim = [], [], [], 0  # places: of the arrays, among the dims that are read
    for i in index:
        if isinstance(i, slice):
            sliced.append(x.strides[dim])
            dim += 1
            continue
        places.append(len(sliced))
        arrays += i.nonzero() if i.dtype.kind == "b" else [i]
        dim += i.ndim if i.dtype.kind == "b" else 1
    sliced += x.strides[dim:]
    start = places[0] if places[0] == places[-1] else 0  # arrays that are no neighbours come first
    width = y.ndim - len(sliced)
    strides = [[*sliced[:start], *[0] * width, *sliced[start:]]]
    for a in arrays:
        strides.append([0] * (start + width - a.ndim) + broadcast_strides(a) + [0] * (len(sliced) - start))
    axes = axes_in_order(y.shape, *strides)
    if y.transpose(axes).flags.c_contiguous:
        return y
    return copy_in_order(y, axes)


class IndexAccumulate(Function):
    """Zeros of `shape` with g added at index; what repeats in index adds up. Index's transpose."""

    row_major = True
    torch_name = "IndexPutBackward0"
    single_use = True

    @staticmethod
    def forward(ctx, g, shape, index):
        ctx.index = index
        return accumulate(K.zeros_like(g, shape=shape), index, g)

    @staticmethod
    def backward(ctx, gg):
        return Index.apply(gg, ctx.index), None, None


class IndexAdd(Function):
    """x with `values`, of the shape of x[index], added at index; what repeats in index adds up."""

    @staticmethod
    def forward(ctx, x, values, index):
        ctx.index, ctx.single_use = index, ctx.single_use or ctx.needs_input_grad[1]
        return accumulate(copy_like(x), index, values)

    @staticmethod
    def backward(ctx, g):
        return g, Index.apply(g, ctx.index) if ctx.needs_input_grad[1] else None, None


class IndexPutAdd(IndexAdd):
    torch_name = "IndexPutBackward0"
    single_use = True


class IndexPut(Function):
    """x with `values`, broadcast, written at index. Where an element is named twice, one of the values stays."""

    keeps_dtype = True
    single_use = True

    @staticmethod
    def forward(ctx, x, values, index):
        ctx.index, ctx.values_shape = index, values.shape
        result = copy_like(x)
        result[index] = values
        return result

    @staticmethod
    def backward(ctx, g):  # the values get what stands at index, x the rest
        need_x, need_values, _ = ctx.needs_input_grad
        grad_x = IndexPut.apply(g, _zeros_like(g, ctx.values_shape), ctx.index) if need_x else None
        grad_values = _sum_to_values(Index.apply(g, ctx.index), ctx.values_shape) if need_values else None
        return grad_x, grad_values, None


def _sum_to_values(g, shape):
    """The gradient of values that were broadcast to g's shape; leading dims of size 1 in excess are allowed."""
    extra = len(shape) - g.ndim
    if extra > 0:
        return Reshape.apply(sum_to(g, shape[extra:]), shape)
    return sum_to(g, shape)


def _zeros_like(g, shape):
    array = getattr(g, "_data", g)
    zeros = K.zeros_like(array, shape=shape)
    return zeros if array is g else Function.as_tensor(zeros)


class Gather(Function):
    """x[i][index[i][j]] for dim 1, and so on: along `dim` at `index`, which has as many dims as x."""

    row_major = True
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, index, dim):
        ctx.save_for_backward(index)
        ctx.shape, ctx.dim = x.shape, dim
        return K.gather(cut_to(x, index.shape, dim), index, dim)

    @staticmethod
    def backward(ctx, g):
        (index,) = ctx.saved
        return Ungather.apply(g, index, ctx.shape, ctx.dim), None, None


class Ungather(Function):
    """Zeros of `shape` with every g added where its index says along `dim`: Gather's transpose."""

    torch_name = "ScatterAddBackward0"

    @staticmethod
    def forward(ctx, g, index, shape, dim):
        ctx.save_for_backward(index)
        ctx.dim = dim
        return _scatter_add(K.zeros_like(g, shape=shape), index, g, dim)

    @staticmethod
    def backward(ctx, gg):
        (index,) = ctx.saved
        return Gather.apply(gg, index, ctx.dim), None, None, None


class ScatterAdd(Function):
    """x with every element of src added where its index says along `dim`; src has index's shape."""

    @staticmethod
    def forward(ctx, x, index, src, dim):
        if ctx.needs_input_grad[2]:
            ctx.save_for_backward(index)
        ctx.dim = dim
        return _scatter_add(copy_like(x), index, src, dim)

    @staticmethod
    def backward(ctx, g):
        return g, None, Gather.apply(g, *ctx.saved, ctx.dim) if ctx.saved else None, None


def _scatter_add(out, index, values, dim):
    """Writes to `out` and returns it."""
    if values.size:
        K.scatter_add(cut_to(out, index.shape, dim), index, values, dim)
    return out


class Scatter(Function):
    """x with src written where index says along `dim`."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, index, src, dim):
        ctx.save_for_backward(index)
        ctx.dim, ctx.src_shape = dim, src.shape
        result = copy_like(x)
        part = tuple(slice(n) for n in index.shape)
        K.scatter(cut_to(result, index.shape, dim), index, src[part] if src.ndim else src, dim)
        return result

    @staticmethod
    def backward(ctx, g):
        (index,) = ctx.saved
        need_x, _, need_src, _ = ctx.needs_input_grad
        grad_x = Scatter.apply(g, index, _zeros_like(g, ()), ctx.dim) if need_x else None
        grad_src = pad_to(Gather.apply(g, index, ctx.dim), ctx.src_shape) if need_src else None
        return grad_x, None, grad_src, None


def pad_to(g, shape):
    """g with zeros after it up to `shape`; summed if that is the shape of a number."""
    if tuple(g.shape) == tuple(shape):
        return g
    if not shape:
        return sum_to(g, ())
    return _Pad.apply(g, shape)


class _Pad(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, g, shape):
        ctx.part = tuple(slice(n) for n in g.shape)
        x = K.zeros_like(g, shape=shape)
        x[ctx.part] = g
        return x

    @staticmethod
    def backward(ctx, gg):
        return Slice.apply(gg, ctx.part), None


class Take(Function):
    """The elements of x, flattened, at index: index's shape. Negative indices count from the end."""

    keeps_dtype = True
    single_use = True

    @staticmethod
    def forward(ctx, x, index):
        ctx.index, ctx.shape = index, x.shape
        return K.asarray(x.reshape(-1).take(index))

    @staticmethod
    def backward(ctx, g):
        flat = (ctx.index.reshape(-1),)
        spread = IndexAccumulate.apply(Reshape.apply(g, flat[0].shape), (math.prod(ctx.shape),), flat)
        return Reshape.apply(spread, ctx.shape), None


class MaskedFill(Where):
    """value where mask, x elsewhere: Where under torch's other name."""

    row_major = True


class IndexFill(Where):
    """The same of whole slices, in x's order in memory."""


class MaskedSelect(Function):
    """The elements of x where mask, in row-major order; x and mask have one shape."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, mask):
        ctx.save_for_backward(mask)
        return x[mask]

    @staticmethod
    def backward(ctx, g):
        (mask,) = ctx.saved
        return MaskedScatter.apply(_zeros_like(g, mask.shape), mask, g), None


class MaskedScatter(Function):
    """x with the first elements of source written where mask, in row-major order; x and mask have one shape."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, mask, source):
        ctx.save_for_backward(mask)
        ctx.source_shape = source.shape
        result = x.copy()
        result[mask] = source.reshape(-1)[: int(mask.sum())]
        return result

    @staticmethod
    def backward(ctx, g):
        (mask,) = ctx.saved
        need_x, _, need_source = ctx.needs_input_grad
        grad_x = Where.apply(mask, 0.0, g) if need_x else None
        grad_source = None
        if need_source:
            flat = pad_to(MaskedSelect.apply(g, mask), (math.prod(ctx.source_shape),))
            grad_source = Reshape.apply(flat, ctx.source_shape)
        return grad_x, None, grad_source


def accumulate(x, index, g):
    """x[index] += g with repeated elements adding up; index holds integer arrays among full slices. Writes
    to x."""
    if not g.size:
        return x
    if any(i.dtype.kind == "b" for i in index if not isinstance(i, slice)):
        x[index] += g  # a mask names no element twice
        return x
    axis = _only_axis(index)
    if axis is not None:
        places = _from_the_front(index[axis], x.shape[axis]).reshape(-1)
        K.add_slices(x, places, g.reshape((*x.shape[:axis], places.size, *x.shape[axis + 1 :])), axis)
        return x
    dims = [d for d, i in enumerate(index) if not isinstance(i, slice)]
    arrays = K.broadcast_arrays(*(_from_the_front(index[d], x.shape[d]) for d in dims))
    ndim, sizes = arrays[0].ndim, [x.shape[d] for d in dims]
    linear = K.linear_index(arrays, sizes).reshape(-1)
    together = dims[-1] - dims[0] == len(dims) - 1  # else the indexed dims stand in front of the result
    place = dims[0] if together else 0
    rows = K.moveaxis(g, range(place, place + ndim), range(ndim))  # (*index shape, *other dims)
    target = K.moveaxis(x, dims, range(len(dims)))  # (*sizes, *other dims)
    table = (math.prod(sizes), *target.shape[len(dims) :])
    rows = rows.reshape((linear.size, *table[1:]))
    if target.flags.c_contiguous:
        K.index_add(target.reshape(table), linear, rows)
    else:
        target += K.index_add(K.zeros_like(x, shape=table), linear, rows).reshape(target.shape)
    return x


def _from_the_front(index, size):
    return K.where(index < 0, index + size, index)


def cut_to(x, shape, dim):
    """The view of x no larger than `shape` apart from `dim`."""
    return x[tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(shape))]


def explain_out_of_range(shape, index) -> None:
    """Raises torch's error for the first index that is out of range, if one is. Arrays are counted, not dims."""
    dim = count = 0
    for i in index:
        if isinstance(i, slice) or i.dtype.kind == "b":
            dim += 1 if isinstance(i, slice) else i.ndim
            continue
        n = shape[dim]
        bad = i[(i < -n) | (i >= n)]
        if bad.size:
            raise IndexError(f"index {int(bad[0])} is out of bounds for dimension {count} with size {n}") from None
        dim, count = dim + 1, count + 1
