"""The same elements in other places: flip, roll, repeat_interleave, triangles and diagonals, grids."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import listed, stacklevel
from ..core.device import check_available, moved
from ..core.function import Function, called
from ..core.layout import check_layout, check_pin_memory
from ..core.memory_order import CHANNELS_LAST, copy_in_order, empty_in_order, is_channels_last, memory_order
from ..core.variable import Variable
from ._common import wrap_dim, wrap_dims
from ._inplace import inplace
from .index_ops import IndexSelect, RepeatSlices
from .joining import stack
from .reduce import sum as sum_
from .view_ops import DiagonalBackward
from .views import diagonal as diagonal_view
from .views import expand, reshape, transpose


class Flip(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return copy_in_order(K.flip(x, dims), memory_order(x))  # tensors have no negative strides

    @staticmethod
    def backward(ctx, g):
        return Flip.apply(g, ctx.dims), None


class Roll(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, shifts, dims):
        ctx.shifts, ctx.dims = shifts, dims
        if x.dtype == K.BFLOAT16:  # a structured dtype, which CuPy moves as bytes only
            return Roll.forward(ctx, x.view(np.uint16), shifts, dims).view(x.dtype)
        total = dict.fromkeys(dims, 0)
        for dim, shift in zip(dims, shifts, strict=True):
            total[dim] += shift
        order = CHANNELS_LAST if is_channels_last(x) else range(x.ndim)
        y = empty_in_order(K.namespace(x), x.shape, order, x.dtype)
        K.copy_rolled(y, x, tuple(total.values()), tuple(total))
        return y

    @staticmethod
    def backward(ctx, g):
        return Roll.apply(g, tuple(-s for s in ctx.shifts), ctx.dims), None, None


class Tril(Function):
    """The last two dims' lower triangle: zero above the diagonal number `diagonal`."""

    row_major = True
    keeps_dtype = True
    lower = True

    @classmethod
    def forward(cls, ctx, x, diagonal):
        ctx.diagonal = diagonal
        rows, columns = x.shape[-2:]
        xp = K.namespace(x)
        if cls.lower:
            return K.choose(xp.tri(rows, columns, diagonal, bool), x, xp.zeros((), x.dtype))
        return K.choose(xp.tri(rows, columns, diagonal - 1, bool), xp.zeros((), x.dtype), x)

    @classmethod
    def backward(cls, ctx, g):
        return cls.apply(g, ctx.diagonal), None


class Triu(Tril):
    lower = False


def flip(input, *along, dims=None):
    """The order along dim(s) reversed: a copy."""
    if dims is None:
        if not along:
            raise TypeError('flip() missing 1 required positional arguments: "dims"')
        dims = along[0] if len(along) == 1 else along
    return Flip.apply(input, wrap_dims(dims if isinstance(dims, tuple | list) else (dims,), input._data.ndim))


def fliplr(input):
    """flip(1): left becomes right."""
    if input._data.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input):
    """flip(0): up becomes down."""
    if input._data.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def roll(input, shifts, dims=()):
    """Elements shifted along dim(s), what falls off one end coming in at the other; without dims, on the
    flattened."""
    shifts = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
    dims = tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if not dims and len(shifts) == 1:
        return called("RollBackward0", reshape(Roll.apply(reshape(input, -1), shifts, (0,)), input._data.shape))
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if not input._data.ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    return Roll.apply(input, shifts, tuple(wrap_dim(d, input._data.ndim) for d in dims))


def rot90(input, k=1, dims=(0, 1)):
    """Turned k times by 90 degrees in the plane of two dims, from the first towards the second."""
    ndim = input._data.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    a, b = (wrap_dim(d, ndim) for d in dims)
    k = operator.index(k) % 4
    if k == 0:
        return input.clone()
    if k == 2:
        return flip(input, a, b)
    return transpose(flip(input, b if k == 1 else a), a, b).clone()


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Every element repeated `repeats` times (a number, or one per slice along dim) right after itself;
    without dim, of the flattened input. With repeats alone: the index that does it."""
    if repeats is None:
        return Function.as_tensor(_repeated(input._data.size, input, K.namespace(input._data)))
    if dim is None:
        input, dim = reshape(input, -1), 0
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim] if input._data.ndim else 1
    index = _repeated(n, repeats, K.namespace(input._data))
    if output_size is not None and output_size != index.size:
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but the repeats add up to {index.size}")
    op = IndexSelect if isinstance(repeats, Variable) else RepeatSlices
    return op.apply(input if input._data.ndim else reshape(input, 1), (slice(None),) * dim + (index,))


def _repeated(n, repeats, xp) -> Any:
    if not isinstance(repeats, Variable):
        if operator.index(repeats) < 0:
            raise RuntimeError("Repeats must be non-negative")
        return xp.repeat(xp.arange(n), repeats)
    counts = repeats._data
    if counts.dtype not in dtypes.INDICES:
        raise NotImplementedError(
            f"\"repeat_interleave_cpu\" not implemented for '{repeats.dtype.torch_type}'; repeats are integers"
        )
    if counts.ndim > 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if counts.ndim and counts.size not in (1, n):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size(0) = {n}"
        )
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    ends = K.cumsum(K.broadcast_to(counts, (n,)))  # CuPy's repeat takes no counts from the GPU
    return K.searchsorted(ends, xp.arange(int(ends[-1]) if n else 0), "right")


def tril(input, diagonal=0):
    """The lower triangle of the last two dims, zero above the diagonal number `diagonal`."""
    return _triangle(Tril, "tril", input, diagonal)


def triu(input, diagonal=0):
    """The upper triangle of the last two dims, zero below the diagonal number `diagonal`."""
    return _triangle(Triu, "triu", input, diagonal)


def _triangle(op, name, input, diagonal):
    if input._data.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    return op.apply(input, operator.index(diagonal))


def tril_indices(row, col, offset=0, *, dtype=dtypes.int64, device=None, layout=None, pin_memory=False):
    """The rows and columns (2, n) of the lower triangle of a row x col matrix."""
    return _triangle_indices(np.tril_indices, row, col, offset, dtype, device, layout, pin_memory)


def triu_indices(row, col, offset=0, *, dtype=dtypes.int64, device=None, layout=None, pin_memory=False):
    """The rows and columns (2, n) of the upper triangle of a row x col matrix."""
    return _triangle_indices(np.triu_indices, row, col, offset, dtype, device, layout, pin_memory)


def _triangle_indices(of, row, col, offset, dtype, device, layout, pin_memory):
    check_layout(layout)
    check_pin_memory(pin_memory)
    if operator.index(row) < 0 or operator.index(col) < 0:
        name, n = ("row", row) if row < 0 else ("col", col)
        raise RuntimeError(f"{name} must be non-negative, got{n}")
    indices = np.stack(of(row, offset, col)).astype(dtypes.as_dtype(dtype, "indices").numpy)
    return Function.as_tensor(moved(indices, check_available(device)))


def diag(input, diagonal=0):
    """A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector."""
    if input._data.ndim == 1:
        return diag_embed(input, diagonal)
    if input._data.ndim == 2:
        return diagonal_view(input, diagonal).clone()
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input._data.ndim}D")


def diagflat(input, offset=0):
    """The elements, flattened, as the diagonal of a matrix."""
    return diag_embed(reshape(input, -1), offset)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """The last dim as the diagonal of a plane of two new dims, zeros elsewhere."""
    ndim = input._data.ndim + 1
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = input._data.shape[-1] + abs(offset)
    shape = list(input._data.shape[:-1])
    for d in sorted((dim1, dim2)):
        shape.insert(d, side)
    return DiagonalBackward.apply(input, tuple(shape), offset, dim1, dim2)


def trace(input):
    """The sum of a matrix's diagonal."""
    if input._data.dtype.kind == "b":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'; convert with .int()")
    if input._data.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._data.ndim}")
    return sum_(diagonal_view(input))


def meshgrid(*tensors, indexing=None):
    """Each vector spread over the grid of all: views. indexing='xy' exchanges the first two dims."""
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tuple(tensors[0])
    if not tensors:
        raise ValueError("meshgrid expects a non-empty TensorList")
    for t in tensors:
        if t._data.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(t._data.shape)}"
            )
        if t._data.dtype != tensors[0]._data.dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.",
            UserWarning,
            stacklevel=stacklevel(2),
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    exchange = indexing == "xy" and len(tensors) > 1
    if exchange:
        tensors = _first_two_exchanged(tensors)
    shape = tuple(t._data.size for t in tensors)
    grids = [expand(reshape(t, (*(1,) * d, -1, *(1,) * (len(shape) - d - 1))), shape) for d, t in enumerate(tensors)]
    if exchange:
        grids = _first_two_exchanged(grids)
    return tuple(grids)


def _first_two_exchanged(items):
    return [items[1], items[0], *items[2:]]


def cartesian_prod(*tensors):
    """All combinations of one element of each vector: (product of the lengths, number of vectors)."""
    for t in tensors:
        if t._data.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t._data.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    count = math.prod(t._data.size for t in tensors)
    columns = [reshape(g, count) for g in meshgrid(*tensors, indexing="ij")]
    return stack(columns, dim=1)


listed(globals())


class RearrangingMethods:
    flip, fliplr, flipud, roll, rot90, repeat_interleave = (
        flip,
        fliplr,
        flipud,
        roll,
        rot90,
        repeat_interleave,
    )
    tril, triu, diag, diagflat, diag_embed, trace = tril, triu, diag, diagflat, diag_embed, trace
    tril_, triu_ = inplace(tril), inplace(triu)
