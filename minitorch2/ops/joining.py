"""Tensors put together and repeated: cat, stack, repeat."""

from __future__ import annotations

import math

from ..core.autocast import listed
from ..core.function import called
from ..core.memory_order import is_channels_last
from ..core.variable import Variable, type_name
from ._common import numpy_names, result_type, shape_from, to_dtype, wrap_dim
from ._images import in_channels_last
from .conversion import Clone
from .view_ops import Cat, Stack
from .views import expand, reshape


def _same_dtype(op, tensors):
    if op == "cat" and isinstance(tensors, tuple | list) and not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    tensors = some(op, tensors)
    for i, x in enumerate(tensors):
        if not isinstance(x, Variable):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type_name(x)}")
    dtype = tensors[0]._data.dtype
    if any(x._data.dtype != dtype for x in tensors):
        dtype = result_type(*tensors).numpy
    return [to_dtype(x, dtype) for x in tensors]


@numpy_names
def cat(tensors, dim=0):
    """Tensors of equal shape but for `dim`, one after the other along it; 1-d empty ones are skipped, as in torch."""
    tensors = _same_dtype("cat", tensors)
    kept = [x for x in tensors if x._data.shape != (0,)]
    if not kept:
        return Cat.apply(0, *tensors)
    ndim = kept[0]._data.ndim
    if ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    dim = wrap_dim(dim, ndim)
    first = kept[0]._data.shape
    for i, x in enumerate(kept):
        shape = x._data.shape
        if len(shape) != ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {ndim} and {len(shape)}")
        if shape[:dim] + shape[dim + 1 :] != first[:dim] + first[dim + 1 :]:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected "
                f"size {_differing(first, shape, dim)[0]} but got size "
                f"{_differing(first, shape, dim)[1]} for tensor number {i} in the list."
            )
    nothing = (*first[:dim], 0, *first[dim + 1 :])
    joined = Cat.apply(dim, *(x if len(x._data.shape) == ndim else reshape(x, nothing) for x in tensors))
    return in_channels_last(joined) if all(is_channels_last(x._data) for x in kept) else joined


def _differing(a, b, dim):
    return next((n, m, i) for i, (n, m) in enumerate(zip(a, b, strict=True)) if n != m and i != dim)


@numpy_names
def stack(tensors, dim=0):
    """Tensors of one shape along a new dim."""
    tensors = _same_dtype("stack", tensors)
    first = tensors[0]._data.shape
    for i, x in enumerate(tensors):
        if x._data.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(x._data.shape)} at entry {i}"
            )
    return Stack.apply(wrap_dim(dim, len(first) + 1), *tensors)


def some(op: str, tensors) -> list:
    """The tensors in this tuple or list, of which there must be one; TypeError for anything else."""
    if not isinstance(tensors, tuple | list):
        raise TypeError(f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type_name(tensors)}")
    if not tensors:
        raise RuntimeError(f"{op} expects a non-empty TensorList")
    return list(tensors)


def hstack(tensors):
    """Along the second dim; the first, for 1-d tensors."""
    tensors = [reshape(x, 1) if x._data.ndim == 0 else x for x in some("hstack", tensors)]
    return cat(tensors, dim=0 if tensors[0]._data.ndim == 1 else 1)


def vstack(tensors):
    """Along the first dim, 1-d tensors as rows."""
    return cat([reshape(x, (1, -1)) if x._data.ndim < 2 else x for x in some("vstack", tensors)], dim=0)


def repeat(input, *sizes, repeats=None):
    """Tiled: the whole tensor repeated `sizes` times along each dim (NumPy's tile)."""
    sizes, shape = shape_from(sizes if repeats is None else repeats), input._data.shape
    if len(sizes) < len(shape):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    if any(n < 0 for n in sizes):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(sizes)}")
    shape = (1,) * (len(sizes) - len(shape)) + tuple(shape)
    # (a, b) -> (1, a, 1, b) -> (m, a, n, b) -> (m a, n b)
    interleaved = reshape(input, tuple(n for size in shape for n in (1, size)))
    tiled = expand(interleaved, tuple(n for pair in zip(sizes, shape, strict=True) for n in pair))
    joined = reshape(tiled, tuple(math.prod(pair) for pair in zip(sizes, shape, strict=True)))
    if joined._counter is input._counter:  # a view: nothing is repeated, or each single number
        joined = Clone.apply(joined, "C")
    return called("RepeatBackward0", joined)


def tile(input, *sizes, dims=None):
    """repeat, with missing leading counts taken as 1."""
    sizes = shape_from(sizes if dims is None else dims)
    return repeat(input, (1,) * (input._data.ndim - len(sizes)) + sizes)


listed(globals())


class JoiningMethods:
    repeat, tile = repeat, tile
