"""Products of matrices on the GPU: `gemm`, and the kernels matmul and linear by it.

cuBLAS knows columns that lie in memory one after the other. A matrix in C order is to it the transposed one, so what is
computed is out^T = b^T a^T, which needs no copy: whether an operand is transposed is read from its strides.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import cupy
import numpy as np

from .. import precision
from ..reference import matmul as reference
from ..reference.cast import BFLOAT16, cast
from . import cublas
from .arguments import packed
from .launch import function, spread

_get_current_stream = cupy.cuda.get_current_stream
_TYPES = {  # dtype -> (how cuBLAS calls it, what it computes in, the type of alpha and beta)
    np.dtype(np.float32): (cublas.R_32F, cublas.COMPUTE_32F, ctypes.c_float),
    np.dtype(np.float64): (cublas.R_64F, cublas.COMPUTE_64F, ctypes.c_double),
    np.dtype(np.float16): (cublas.R_16F, cublas.COMPUTE_32F, ctypes.c_float),
    BFLOAT16: (cublas.R_16BF, cublas.COMPUTE_32F, ctypes.c_float),
}
_LOOPED = 8  # products called one by one before a copy that makes them one call is the cheaper
_factors: dict = {}  # (type, number) -> the number in memory, and its address


def _placed(kind, number: float) -> tuple:
    memory = kind(number)
    return memory, ctypes.addressof(memory)


_ONE = {kind: _placed(kind, 1.0) for kind in (ctypes.c_float, ctypes.c_double)}
_ZERO = {kind: _placed(kind, 0.0) for kind in (ctypes.c_float, ctypes.c_double)}


def _address(kind, number: float) -> int:
    """Where cuBLAS finds this alpha or beta."""
    found = _factors.get((kind, number))
    if found is None:
        if len(_factors) > 1000:  # somebody's ever-changing factor: keep the table small
            _factors.clear()
        found = _factors[kind, number] = _placed(kind, number)
    return found[1]


def gemm(a, b, out=None, alpha: float = 1.0, beta: float = 0.0, tf32: bool | None = None):
    """alpha a b + beta out; a (..., m, k), b (..., k, n), the batch dims broadcast. Returns out (..., m, n).

    float32 (in TF32 only where `precision`, or `tf32` if given, allows it), float64, and float16 and bfloat16 summed in
    float32; all of one dtype. Operands may be transposed or have gaps between rows; only where neither rows nor columns
    are contiguous is one copied. out: written in place, its rows or columns contiguous; its contents count only where
    beta is not 0.
    Other dtypes go to cupy.matmul, which cannot be captured in a graph. Works on the current stream.
    """
    found = _TYPES.get(a.dtype)
    if found is None or b.dtype != a.dtype:
        return _by_cupy(a, b, out, alpha, beta)
    a_shape, b_shape = a.shape, b.shape
    m, k = a_shape[-2:]
    n = b_shape[-1]
    if b_shape[-2] != k:
        raise ValueError(f"gemm: a of shape {a_shape} and b of shape {b_shape} have no common size k")
    plain = len(a_shape) == len(b_shape) == 2
    batch = a_shape[:-2]
    if batch != b_shape[:-2]:
        batch = np.broadcast_shapes(batch, b_shape[:-2])
    if out is None:
        if beta:
            raise ValueError("gemm: beta needs an out to be added to")
        out = cupy.empty((*batch, m, n), a.dtype)
    elif out.shape != (*batch, m, n) or out.dtype != a.dtype:
        raise ValueError(f"gemm: out has shape {out.shape} and dtype {out.dtype}, not {(*batch, m, n)} and {a.dtype}")
    if not out.size:
        return out
    if not k:
        return _scaled(out, beta)

    letter, compute, kind = found
    if letter == cublas.R_32F and (precision.allow_tf32 if tf32 is None else tf32):
        compute = cublas.COMPUTE_32F_FAST_TF32
    size = a.itemsize
    out_transposed, out_ld = _layout(m, n, out.strides, size)
    if out_ld == 0:
        raise ValueError(f"gemm: neither rows nor columns of out are contiguous: strides {out.strides}")
    if out_transposed:  # out^T = b^T a^T is a product of the same kind
        out, a, b, m, n = _swapped(out), _swapped(b), _swapped(a), n, m
    a_transposed, a_ld = _layout(m, k, a.strides, size)
    if a_ld == 0 or (not plain and min(a.strides) < 0):
        a = _copied(a)
        a_transposed, a_ld = 0, k
    b_transposed, b_ld = _layout(k, n, b.strides, size)
    if b_ld == 0 or (not plain and min(b.strides) < 0):
        b = _copied(b)
        b_transposed, b_ld = 0, n
    handle = cublas.handle()
    pointer = handle.use(_get_current_stream().ptr)
    factor = _ONE[kind][1] if alpha == 1 else _address(kind, alpha)
    addend = _ZERO[kind][1] if beta == 0 else _address(kind, beta)
    start, end = (pointer, b_transposed, a_transposed, n), (letter, out_ld)
    if plain:
        status = handle.gemm(
            *start, m, k, factor, b.data.ptr, letter, b_ld, a.data.ptr, letter, a_ld, addend, out.data.ptr, *end,
            compute, -1,
        )  # fmt: skip
        if status:
            cublas.check(status, "cublasGemmEx")
        return out if not out_transposed else _swapped(out)

    dims = _batch_dims(batch, (a, b, out), size)
    if len(dims) == 1 and not dims[0][2] and not a_transposed and dims[0][1] == m * a_ld and dims[0][3] == m * out_ld:
        m, dims = m * dims[0][0], []  # b is the same for all: the batch is more rows of a
    calls: Any = [(a.data.ptr, b.data.ptr, out.data.ptr)]
    if len(dims) > 1:
        dims.sort(key=lambda dim: -dim[0])  # the longest is cuBLAS's batch, the others are walked through
        if math.prod(dim[0] for dim in dims[1:]) > _LOOPED and not beta and not out_transposed:
            return _gathered(a, b, out, batch, alpha, tf32)
        for count, *steps in dims[1:]:
            calls = [
                tuple(p + i * step * size for p, step in zip(call, steps, strict=True))
                for call in calls
                for i in range(count)
            ]
    for at_a, at_b, at_out in calls:
        if dims:
            count, a_step, b_step, out_step = dims[0]
            status = handle.gemm_batched(
                *start, m, k, factor, at_b, letter, b_ld, b_step, at_a, letter, a_ld, a_step, addend,
                at_out, *end, out_step, count, compute, -1,
            )  # fmt: skip
        else:
            status = handle.gemm(
                *start, m, k, factor, at_b, letter, b_ld, at_a, letter, a_ld, addend, at_out, *end, compute, -1
            )
        if status:
            cublas.check(status, "cublasGemmStridedBatchedEx" if dims else "cublasGemmEx")
    return out if not out_transposed else _swapped(out)


def layer_product(a, b, out=None, beta: float = 0.0):
    """a b + beta out as convolutions and recurrent layers multiply: in TF32 unless `precision` forbids it to them."""
    return gemm(a, b, out, 1.0, beta, precision.layers_allow_tf32)


def _layout(rows: int, columns: int, strides, size: int) -> tuple[int, int]:
    """Whether a matrix lies in memory column by column (0 or 1), and how far apart its rows (or columns) are.

    The distance is 0 where neither its rows nor its columns are contiguous.
    """
    row, column = strides[-2], strides[-1]
    if column == size or columns == 1:
        distance = row // size
        if distance >= columns and not row % size:
            return 0, distance
        if rows == 1:
            return 0, columns
    if row == size or rows == 1:
        distance = column // size
        if distance >= rows and not column % size:
            return 1, distance
        if columns == 1:
            return 1, rows
    return 0, 0


def _batch_dims(batch, matrices, size: int) -> list[tuple[int, ...]]:
    """The batch dims as (count, steps of a, b and out in elements); dims that go on from each other are one."""
    if len(batch) == 1 and all(x.ndim == 3 for x in matrices):
        return [(batch[0], *[x.strides[0] // size if x.shape[0] != 1 else 0 for x in matrices])]
    steps = []
    for x in matrices:
        missing = len(batch) - (x.ndim - 2)
        own = [0 if n == 1 else stride // size for n, stride in zip(x.shape[:-2], x.strides[:-2], strict=True)]
        steps.append([0] * missing + own)
    dims: list[tuple[int, ...]] = []
    for dim in zip(batch, *steps, strict=True):
        if dim[0] == 1:
            continue
        if dims and all(outer == inner * dim[0] for outer, inner in zip(dims[-1][1:], dim[1:], strict=True)):
            dim = (dims.pop()[0] * dim[0], *dim[1:])
        dims.append(dim)
    return dims


def _swapped(x):
    return x.swapaxes(-1, -2)


def _copied(x):
    return cupy.ascontiguousarray(x)


def _gathered(a, b, out, batch, alpha, tf32):
    """Operands whose batch is no single stride, copied so that it is one."""
    a = _copied(cupy.broadcast_to(a, (*batch, *a.shape[-2:])))
    b = _copied(cupy.broadcast_to(b, (*batch, *b.shape[-2:])))
    if out.flags.c_contiguous:
        return gemm(a, b, out, alpha, 0.0, tf32)
    out[...] = gemm(a, b, None, alpha, 0.0, tf32)
    return out


def _scaled(out, beta):
    """beta out: what is left where k is 0."""
    if not beta:
        out[...] = cupy.zeros((), out.dtype)
    elif out.dtype == BFLOAT16:
        out[...] = cast(cast(out, np.float32) * beta, BFLOAT16)
    else:
        out *= out.dtype.type(beta)
    return out


def _by_cupy(a, b, out, alpha, beta):
    """Integers and mixed dtypes, which cuBLAS does not multiply."""
    product = cupy.matmul(a, b)
    if alpha != 1:
        product = product * alpha
    if beta:
        product = product + out * beta
    if out is None:
        return product
    out[...] = product
    return out


def _multiplies(a, b) -> bool:
    return a.dtype in _TYPES and isinstance(b, cupy.ndarray) and a.dtype == b.dtype and a.ndim >= 2 and b.ndim >= 2


@reference.matmul.cuda_override(_multiplies)
def matmul(a, b):
    """One call of cuBLAS, whatever is transposed."""
    return gemm(a, b)


@reference.linear.cuda_override(
    lambda x, weight, bias: _multiplies(x, weight) and (bias is None or bias.dtype == x.dtype)
)
def linear(x, weight, bias):
    """The product is added to the bias, which fills the result beforehand: it is rounded once."""
    if bias is None:
        return gemm(x, weight.T)
    y = cupy.empty((x.shape[0], weight.shape[0]), x.dtype)
    if y.size:
        kernel = function("bias.cu", "fill_rows", x.dtype)
        spread(kernel, y.size, (y, packed(bias), np.int64(y.size), np.int64(y.shape[1])), 16 // y.itemsize)
    return gemm(x, weight.T, y, beta=1.0)
