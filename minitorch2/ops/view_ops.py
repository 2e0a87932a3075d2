"""The ops behind views: the same memory under another shape.

A backward here is a view too, a sum where the view repeated elements, or, where it left some out, zeros with the
gradient in its place."""

from __future__ import annotations

import numpy as np

import minitorch2_kernels as K

from ..core.function import Function
from ..core.memory_order import reshaped

FULL = slice(None)


class ViewOp(Function):
    is_view = True
    keeps_dtype = True


class View(ViewOp):
    """The same elements in the same order under another shape."""

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return x.reshape(shape)

    @staticmethod
    def backward(ctx, g):
        return Reshape.apply(g, ctx.shape), None


class Unsqueeze(View):
    pass


class Squeeze(View):
    pass


class Alias(View):
    """The whole of it: `x.view_as(x)`, `x[...]`."""


class Reshape(Function):
    """As View, on any memory layout: copies where it must. Not a view for autograd."""

    keeps_dtype = True
    torch_name = "UnsafeViewBackward0"

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return reshaped(x, shape)

    @staticmethod
    def backward(ctx, g):
        return Reshape.apply(g, ctx.shape), None


class Permute(ViewOp):
    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return x.transpose(dims)

    @staticmethod
    def backward(ctx, g):
        inverse = sorted(range(len(ctx.dims)), key=ctx.dims.__getitem__)
        return Permute.apply(g, tuple(inverse)), None


class Transpose(Permute):
    pass


class T(Permute):
    pass


class Expand(ViewOp):
    """Size-1 dims repeated without copying (stride 0)."""

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return K.namespace(x).lib.stride_tricks.as_strided(x, shape, _expanded_strides(x, shape))

    @staticmethod
    def backward(ctx, g):
        return sum_to(g, ctx.shape), None


def _expanded_strides(x, shape) -> list[int]:
    """In bytes: 0 along what is repeated; a new dim of one number is as long as all that follows it."""
    missing, step = len(shape) - x.ndim, 0
    strides = [0] * len(shape)
    for d in range(len(shape) - 1, -1, -1):
        have, step = (x.shape[d - missing], x.strides[d - missing]) if d >= missing else (1, step)
        strides[d] = step = step if have == shape[d] else 0
        step *= shape[d]
    return strides


class SumTo(Function):
    """The sum over the dims along which `shape` was broadcast: Expand's inverse."""

    torch_name = "SumBackward1"

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        extra = x.ndim - len(shape)
        dims = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1)
        return K.sums(x, dims, True).reshape(shape)

    @staticmethod
    def backward(ctx, g):
        return Expand.apply(g, ctx.shape), None


def sum_to(x, shape):
    """x summed down to `shape`, which broadcasts to x's."""
    shape = tuple(shape)
    return x if tuple(x.shape) == shape else SumTo.apply(x, shape)


Function.sum_to = staticmethod(sum_to)


class Slice(ViewOp):
    """Basic indexing: ints, slices, None and Ellipsis, as NumPy takes them."""

    @staticmethod
    def forward(ctx, x, index):
        ctx.shape, ctx.index = x.shape, index
        if None in index:  # NumPy's strides of the new dims are 0, torch's as long as what follows
            x, index = _with_ones(x, index)
        view = x[index]
        return x[(*index, ...)] if isinstance(view, np.generic) else view  # NumPy gives a scalar for a full index

    @staticmethod
    def backward(ctx, g):
        return SliceBackward.apply(g, ctx.shape, ctx.index), None


def _with_ones(x, index):
    """x with a dim of one number for each None among the index, and the index without these."""
    shape, kept = list(x.shape), list(index)
    for d, item in enumerate(index):
        if item is None:
            shape.insert(d, 1)
            kept[d] = FULL
    return x.reshape(shape), tuple(kept)


class Select(Slice):
    pass


class SliceBackward(Function):
    """Zeros of `shape` with g at `index`."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, g, shape, index):
        ctx.index = index
        x = K.zeros_like(g, shape=shape)
        if g.ndim:
            K.copy_to(x[index], g)
        else:
            x[index] = g  # of which NumPy gives no view
        return x

    @staticmethod
    def backward(ctx, gg):
        return Slice.apply(gg, ctx.index), None, None


class Diagonal(ViewOp):
    @staticmethod
    def forward(ctx, x, offset, dim1, dim2):
        ctx.shape, ctx.where = x.shape, (offset, dim1, dim2)
        view = x.diagonal(offset, dim1, dim2)
        return _writable_like(view, x)

    @staticmethod
    def backward(ctx, g):
        return DiagonalBackward.apply(g, ctx.shape, *ctx.where), None, None, None


class DiagonalBackward(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, g, shape, offset, dim1, dim2):
        ctx.where = (offset, dim1, dim2)
        x = K.zeros_like(g, shape=shape)
        _writable_like(x.diagonal(offset, dim1, dim2), x)[...] = g
        return x

    @staticmethod
    def backward(ctx, gg):
        return Diagonal.apply(gg, *ctx.where), None, None, None, None


def _writable_like(view, x):
    """NumPy's diagonal() is read-only, though it looks into x's memory."""
    if isinstance(view, np.ndarray) and x.flags.writeable:  # a GPU's arrays know no such thing
        view.setflags(write=True)
    return view


class Split(ViewOp):
    """Cut along `dim` into pieces of the given sizes."""

    @staticmethod
    def forward(ctx, x, sizes, dim):
        ctx.sizes, ctx.dim = sizes, dim
        pieces, start = [], 0
        for size in sizes:
            pieces.append(x[(slice(None),) * dim + (slice(start, start + size),)])
            start += size
        return tuple(pieces)

    @staticmethod
    def backward(ctx, *grads):
        return Cat.apply(ctx.dim, *grads), None, None


class Unbind(ViewOp):
    """The slices along `dim`, one tensor each."""

    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return tuple(x[(slice(None),) * dim + (i, ...)] for i in range(x.shape[dim]))

    @staticmethod
    def backward(ctx, *grads):
        return Stack.apply(ctx.dim, *grads), None


class Unfold(ViewOp):
    """Windows of `size` every `step` along `dim`, in a new last dimension."""

    @staticmethod
    def forward(ctx, x, dim, size, step):
        ctx.shape, ctx.where = x.shape, (dim, size, step)
        return _windows(x, dim, size, step)

    @staticmethod
    def backward(ctx, g):
        return UnfoldBackward.apply(g, ctx.shape, *ctx.where), None, None, None


class UnfoldBackward(Function):
    """Every element is the sum over the windows that saw it."""

    @staticmethod
    def forward(ctx, g, shape, dim, size, step):
        ctx.where = (dim, size, step)
        x = K.zeros_like(g, shape=shape)
        windows = _windows(x, dim, size, step)
        for i in range(size):  # one element of each window at a time: those never overlap
            windows[..., i] += g[..., i]
        return x

    @staticmethod
    def backward(ctx, gg):
        return Unfold.apply(gg, *ctx.where), None, None, None, None


def _windows(x, dim, size, step):
    count = (x.shape[dim] - size) // step + 1
    shape = (*x.shape[:dim], count, *x.shape[dim + 1 :], size)
    strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim])
    as_strided = K.namespace(x).lib.stride_tricks.as_strided
    return as_strided(x, shape, strides)


class Cat(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, dim, *arrays):
        ctx.dim, ctx.sizes = dim, [a.shape[dim] for a in arrays]
        return K.joined(list(arrays), dim)

    @staticmethod
    def backward(ctx, g):  # each gets its own part back
        grads, start = [], 0
        for size, needed in zip(ctx.sizes, ctx.needs_input_grad[1:], strict=True):
            part = (slice(None),) * ctx.dim + (slice(start, start + size),)
            grads.append(Slice.apply(g, part) if needed else None)
            start += size
        return None, *grads


class Stack(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, dim, *arrays):
        ctx.dim = dim
        shape = arrays[0].shape
        if dim == 0 and shape:  # a third of np.stack's time for a batch of samples
            return K.joined(list(arrays), 0).reshape(len(arrays), *shape)
        thin = (*shape[:dim], 1, *shape[dim:])
        return K.joined([a.reshape(thin) for a in arrays], dim)

    @staticmethod
    def backward(ctx, g):
        return None, *Unbind.apply(g, ctx.dim)
