"""Views: the same memory under another shape."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

from ..core.function import Function
from ..core.layout import contiguous_format
from ..core.memory_order import can_view
from ..core.variable import Variable
from ._common import also_called, numpy_names, require_tensor, shape_from, wrap_dim, wrap_dims
from ._inplace import check_history
from .conversion import clone, contiguous
from .view_ops import (
    Diagonal,
    Expand,
    Permute,
    Reshape,
    Select,
    Slice,
    Split,
    Squeeze,
    T,
    Transpose,
    Unbind,
    Unfold,
    Unsqueeze,
    View,
)


def infer_shape(shape: tuple[int, ...], numel: int, op: str = "view") -> tuple[int, ...]:
    """`shape` with its one -1 worked out; RuntimeError where it does not hold `numel` elements."""
    unknown = [i for i, n in enumerate(shape) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for n in shape:
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n} at index {shape.index(n)} of shape {list(shape)}")
    known = math.prod(n for n in shape if n != -1)
    if unknown:
        if known == 0 and numel == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size "
                "-1 can be any value and is ambiguous"
            )
        if known and numel % known == 0:
            return tuple(numel // known if n == -1 else n for n in shape)
    elif known == numel:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")


def view(input, *shape, size=None, dtype=None):
    """The same memory under another shape, or (view(dtype)) another dtype; RuntimeError where its layout forbids."""
    if dtype is None and len(shape) == 1 and hasattr(shape[0], "numpy") and hasattr(shape[0], "category"):
        (dtype,) = shape
    if dtype is not None:
        return _view_dtype(input, dtype)
    shape = infer_shape(shape_from(shape if size is None else size), input._data.size)
    if not can_view(input._data, shape):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return View.apply(input, shape)


def _view_dtype(input, dtype):
    """As in torch, no gradient comes back through it, not even where it is the dtype that input has."""
    if input._data.ndim == 0 and dtype.itemsize != input._data.itemsize:
        raise RuntimeError("self.dim() cannot be 0 to view a tensor of another element size")
    if input._data.ndim and input._data.shape[-1] * input._data.itemsize % dtype.itemsize:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {dtype.itemsize // input._data.itemsize} to view "
            f"{input.dtype.torch_type} as {dtype.torch_type} (different element sizes), but got {input._data.shape[-1]}"
        )
    result = Function.as_tensor(input._data.view(dtype.numpy))
    result._counter = input._counter
    return result


def reshape(input, *sizes, shape=None):
    """As view where the memory allows it, a copy where not."""
    require_tensor("reshape", input)
    shape = sizes if shape is None else shape
    return _reshaped(input, infer_shape(shape_from(shape), input._data.size, "reshape"))


def _reshaped(input, shape):
    return (View if can_view(input._data, shape) else Reshape).apply(input, shape)


def view_as(input, other):
    """view(other.shape)."""
    return view(input, other.shape)


def reshape_as(input, other):
    """reshape(other.shape)."""
    return reshape(input, other.shape)


def flatten(input, start_dim=0, end_dim=-1):
    """Dims start_dim to end_dim joined into one; a 0-d tensor becomes 1-d."""
    require_tensor("flatten", input)
    shape = input._data.shape
    if not shape:
        return reshape(input, 1)
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    return _reshaped(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(input, dim, sizes):
    """One dim split into several; one of the sizes may be -1."""
    shape = input._data.shape
    dim = wrap_dim(dim, len(shape))
    sizes = shape_from((sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        new = infer_shape(sizes, shape[dim])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the "
            "input tensor"
        ) from None
    return reshape(input, (*shape[:dim], *new, *shape[dim + 1 :]))


def permute(input, *order, dims=None):
    """The dims in another order."""
    dims = shape_from(order if dims is None else dims)
    ndim = input._data.ndim
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return Permute.apply(input, wrapped)


def transpose(input, dim0, dim1):
    """Two dims exchanged."""
    require_tensor("transpose", input)
    ndim = input._data.ndim
    dim0, dim1 = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    dims = list(range(ndim))
    if ndim:
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return Transpose.apply(input, tuple(dims))


swapaxes = also_called(axis0="dim0", axis1="dim1")(transpose)


def t(input):
    """A matrix transposed; a vector or scalar as it is."""
    if input._data.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input._data.ndim}D")
    return T.apply(input, tuple(reversed(range(input._data.ndim))))


def movedim(input, source, destination):
    """Dims moved to other places, the rest in order."""
    ndim = input._data.ndim
    source, destination = wrap_dims(source, ndim), wrap_dims(destination, ndim)
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should contain the same number "
            f"of dims as destination ({list(destination)} dims)"
        )
    order = [d for d in range(ndim) if d not in source]
    for place, dim in sorted(zip(destination, source, strict=True)):
        order.insert(place, dim)
    return Permute.apply(input, tuple(order))


@numpy_names
def squeeze(input, *dims, dim=None):
    """Size-1 dims removed: all of them, or the given one(s) where they have size 1."""
    shape = input._data.shape
    dims = wrap_dims(dims[0] if len(dims) == 1 else dims or dim, len(shape))
    return Squeeze.apply(input, tuple(n for i, n in enumerate(shape) if n != 1 or i not in dims))


@numpy_names
def unsqueeze(input, dim):
    """A dim of size 1 put in at `dim`."""
    shape = input._data.shape
    dim = wrap_dim(dim, len(shape) + 1)
    return Unsqueeze.apply(input, (*shape[:dim], 1, *shape[dim:]))


def expand(input, *sizes, size=None):
    """Size-1 dims repeated without copying; -1 keeps a dim, new dims may stand in front."""
    sizes, shape = shape_from(sizes if size is None else size), input._data.shape
    extra = len(sizes) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand(torch.{input.dtype.torch_type}Tensor{{{list(shape)}}}, size={list(sizes)}): the number of sizes "
            f"provided ({len(sizes)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    target = []
    for i, n in enumerate(sizes):
        have = shape[i - extra] if i >= extra else None
        if n == -1:
            if have is None:
                raise RuntimeError(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}"
                )
            n = have
        elif have not in (None, 1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(sizes)}.  Tensor sizes: {list(shape)}"
            )
        if n < 0:
            raise RuntimeError("numel: integer multiplication overflow")
        target.append(n)
    return Expand.apply(input, tuple(target))


def expand_as(input, other):
    """expand(other.shape)."""
    return expand(input, other.shape)


def broadcast_to(input, *sizes, size=None):
    """expand(*sizes)."""
    return expand(input, *sizes, size=size)


def select(input, dim, index):
    """The slice at `index` along `dim`, that dim removed."""
    dim, index = wrap_dim(dim, input._data.ndim), operator.index(index)
    if input._data.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    n = input._data.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input._data.shape)} at dimension {dim}"
        )
    return Select.apply(input, (slice(None),) * dim + (index,))


def narrow(input, dim, start, length):
    """`length` elements from `start` along `dim`."""
    if input._data.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Variable):
        if start._data.ndim or start._data.dtype.kind not in "iu":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = start._data.item()
    dim = wrap_dim(dim, input._data.ndim)
    n, start = input._data.shape[dim], operator.index(start)
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start += n if start < 0 else 0
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return Slice.apply(input, (slice(None),) * dim + (slice(start, start + length),))


def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of two dims, as the last dim of a view."""
    ndim = input._data.ndim
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return Diagonal.apply(input, offset, dim1, dim2)


def split(tensor, split_size_or_sections: Any = None, dim=0, *, split_size=None):
    """Views of `split_size` elements each along `dim` (the last may be smaller), or of the listed sizes."""
    dim = wrap_dim(dim, tensor._data.ndim)
    if tensor._data.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    n, sizes = tensor._data.shape[dim], split_size_or_sections if split_size is None else split_size
    if isinstance(sizes, tuple | list):
        sizes = [operator.index(s) for s in sizes]
        if sum(sizes) != n or min(sizes, default=0) < 0:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), "
                f"but got split_sizes={sizes}"
            )
    else:
        size = operator.index(sizes)
        if size < 0 or (size == 0 and n):
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
        sizes = [min(size, n - start) for start in range(0, n, size)] if n else [0]
    return Split.apply(tensor, tuple(sizes), dim)


def chunk(input, chunks, dim=0):
    """At most `chunks` views of nearly equal size along `dim`."""
    if input._data.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._data.shape[wrap_dim(dim, input._data.ndim)]
    size = -(-n // chunks)
    return split(input, size, dim) if size else split(input, [0] * chunks, dim)


def unbind(input, dim=0):
    """The slices along `dim` as a tuple of views."""
    if input._data.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, input._data.ndim)
    return Unbind.apply(input, dim) if input._data.shape[dim] else ()


def unfold(input, dimension, size, step):
    """All windows of `size` elements every `step` along a dim, in a new last dim."""
    dim = wrap_dim(dimension, input._data.ndim)
    if input._data.ndim == 0:  # the one window has no dim to be counted along
        return select(unfold(reshape(input, 1), 0, size, step), 0, 0)
    n = input._data.shape[dim]
    if size < 0 or size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return Unfold.apply(input, dim, size, step)


def unfold_copy(input, dimension, size, step):
    """As unfold, in memory of its own."""
    return clone(unfold(input, dimension, size, step), memory_format=contiguous_format)


def ravel(input):
    """All dims joined into one, its elements next to each other in memory."""
    return reshape(contiguous(input), -1)


def adjoint(input):
    """The last two dims exchanged: for real numbers the adjoint is the transpose."""
    return _matrix_transpose(input)


def _matrix_transpose(input):
    """The last two dims exchanged."""
    if input._data.ndim == 0:
        return input
    if input._data.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input._data.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def _transposed_matrix(input):
    if input._data.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {input._data.ndim}-D tensor. For batches of "
            "matrices, consider using tensor.mH"
        )
    return t(input)


def _reverse_dims(input):
    """x.T: meant for matrices; torch warns of anything else."""
    if input._data.ndim == 0:
        text = "Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases."
        warnings.warn(text, stacklevel=2)
    elif input._data.ndim != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will "
            "throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            stacklevel=2,
        )
    return Permute.apply(input, tuple(reversed(range(input._data.ndim))))


def view_in_place(function):
    """squeeze_ and its like: the tensor becomes that view of itself, with its history."""

    def method(self, *args, **kwargs):
        check_history(self)
        view = function(self, *args, **kwargs)
        self._data = view._data
        if view._requires_grad:
            self._grad_fn, self._output_nr = view._grad_fn, view._output_nr
        self._bump()
        if self._base is None:
            self._rearranged = True
        else:
            self._replay, self._seen = view._replay, self._counter[0]
        return self

    return method


class ViewMethods:
    view, reshape, view_as, reshape_as, flatten, unflatten = view, reshape, view_as, reshape_as, flatten, unflatten
    permute, transpose, swapaxes, swapdims, t, movedim = permute, transpose, swapaxes, transpose, t, movedim
    squeeze, unsqueeze, expand, expand_as, broadcast_to = squeeze, unsqueeze, expand, expand_as, broadcast_to
    select, narrow, diagonal, split, chunk, unbind, unfold = select, narrow, diagonal, split, chunk, unbind, unfold
    squeeze_, unsqueeze_, t_ = view_in_place(squeeze), view_in_place(unsqueeze), view_in_place(t)
    transpose_ = view_in_place(transpose)
    swapaxes_, swapdims_ = view_in_place(swapaxes), transpose_
    T, mT = property(_reverse_dims), property(_matrix_transpose)
    H, mH = property(_transposed_matrix), property(_matrix_transpose)
    moveaxis, ravel, adjoint = movedim, ravel, adjoint
