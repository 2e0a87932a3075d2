"""The norms of vectors: sums of powers, and their roots."""

from __future__ import annotations

import math
from typing import Any

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import LOW_PRECISION, as_dtype, float32, promote_types
from ..core.function import Function
from ._common import to_dtype
from .arithmetic import Where
from .reduce import Sum, amax, keep_dims, reduced_dims
from .view_ops import Reshape


def vector_norm(x, ord: Any = 2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) over dim(s), all by default; ord may be inf, -inf, 0 (torch.linalg.vector_norm).

    RuntimeError for the inf-norm and for those of a negative ord of nothing.
    """
    x = in_norm_dtype("linalg.vector_norm", x, dtype)
    if x._data.dtype in LOW_PRECISION and abs(ord) != math.inf:  # powers and sums may be too large for it
        return to_dtype(vector_norm(to_dtype(x, float32.numpy), ord, dim, keepdim), x._data.dtype)
    dims = reduced_dims(dim, x)
    if not x._data.size and (ord < 0 or ord == math.inf):
        _refuse_nothing(x, ord, dim)
    if ord == 2:
        return Norm2.apply(x, dims, keepdim)
    if ord == 0:
        return Norm0.apply(x, dims, keepdim)
    size = x.abs()
    if ord == math.inf:
        return amax(size, dims or None, keepdim)
    if ord == -math.inf:
        return -amax(-size, dims or None, keepdim)
    if ord == 1:
        return Sum.apply(size, dims, keepdim)
    if ord > 1:
        powers = size**ord
    else:  # where a power has no slope, torch takes 0
        zero = size == 0
        powers = Where.apply(zero, 0.0 if ord > 0 else math.inf, Where.apply(zero, 1.0, size) ** ord)
    total = Sum.apply(powers, dims, keepdim)
    nothing = total == 0  # where the root has no slope, torch takes 0, too
    return Where.apply(nothing, 0.0 if ord > 0 else math.inf, Where.apply(nothing, 1.0, total) ** (1 / ord))


def require_norm_dtype(op: str, x) -> None:
    """RuntimeError for integers and bools."""
    if x._data.dtype.kind not in "fV":
        raise RuntimeError(f"{op}: Expected a floating point or complex tensor as input. Got {x.dtype.torch_type}")


def in_norm_dtype(op: str, x, dtype):
    """x in the dtype that was asked for. RuntimeError for integers and bools, and for a dtype that would round x."""
    require_norm_dtype(op, x)
    if dtype is None:
        return x
    dtype = as_dtype(dtype, "norm")
    if not dtype.is_floating_point:
        raise RuntimeError(f"{op}: dtype should be floating point or complex, but got {dtype.torch_type}")
    if promote_types(x.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{op}: the dtype of the input ({x.dtype.torch_type}) should be convertible without narrowing to the "
            f"specified dtype ({dtype.torch_type})"
        )
    return to_dtype(x, dtype.numpy)


def _refuse_nothing(x, ord, dim) -> None:
    text = f"linalg.vector_norm cannot compute the {ord:g} norm on "
    if dim is None or dim == () or dim == []:
        raise RuntimeError(f"{text}an empty tensor because the operation does not have an identity")
    for d in dim if isinstance(dim, tuple | list) else (dim,):
        if not x._data.shape[d]:
            raise RuntimeError(
                f"{text}the dimension {d}because this dimension is empty and the operation does not have an identity"
            )


class Norm2(Function):
    row_major = True
    torch_name = "LinalgVectorNormBackward0"

    @staticmethod
    def forward(ctx, x, dims, keepdim):
        y = K.asarray(K.sqrt(K.sums(K.times(x, x), dims, keepdim)))
        ctx.dims = dims
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):  # d|x| = x/|x| dx, and 0 at x = 0
        x, y = ctx.saved
        if y.ndim < x.ndim:
            y, g = (Reshape.apply(a, keep_dims(x.shape, ctx.dims)) for a in (y, g))
        return K.times(x, Where.apply(y == 0, 0.0, g / y)), None, None


class Norm0(Function):
    """How many elements are not 0. As in torch, it requires a gradient and has none, not even zeros."""

    row_major = True
    torch_name = "LinalgVectorNormBackward0"

    @staticmethod
    def forward(ctx, x, dims, keepdim):
        return (x != 0).sum(axis=dims, keepdims=keepdim, dtype=x.dtype)

    @staticmethod
    def backward(ctx, g):
        return None, None, None


listed(globals())
