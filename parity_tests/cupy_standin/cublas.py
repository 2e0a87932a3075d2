"""cuBLAS's products on host memory: what minitorch2_kernels.cuda.cublas calls once `install` has put this there.

It sees what cuBLAS sees: addresses, leading dimensions, transposition flags, strides. It reads the matrices column by
column as cuBLAS does, refuses what cuBLAS refuses (a leading dimension too small, another handle) and writes only the
elements of the result, so the gaps between its columns stay as they were.
"""

from __future__ import annotations

import ctypes

import numpy as np

from minitorch2_kernels.reference.cast import BFLOAT16, cast

_DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64), 2: np.dtype(np.float16), 14: BFLOAT16}
_SUMMED_IN = {68: np.float32, 77: np.float32, 70: np.float64}
INVALID_VALUE, NOT_SUPPORTED = 7, 15


def _columns(pointer: int, dtype, rows: int, columns: int, ld: int, step: int = 0, count: int = 1):
    """(count, rows, columns) of memory at `pointer`, column by column, as a view."""
    size = np.dtype(dtype).itemsize
    length = ((count - 1) * step + (columns - 1) * ld + rows) * size
    memory = np.frombuffer((ctypes.c_char * length).from_address(pointer), np.uint8)
    return np.lib.stride_tricks.as_strided(
        memory.view(dtype), (count, rows, columns), (step * size, size, ld * size), writeable=True
    )


class Library:
    """As minitorch2_kernels.cuda.cublas.Library. `calls` counts what was called, `streams` the streams set."""

    def __init__(self):
        self.handles, self.calls, self.streams, self.workspaces, self.compute = {}, [], [], [], None

    def create(self):
        handle = 4096 + len(self.handles)
        self.handles[handle] = {"stream": 0, "workspace": None, "mode": 0}
        return handle

    def destroy(self, handle):
        del self.handles[handle]

    def set_stream(self, handle, stream):
        self.streams.append(stream)
        self.handles[handle].update(stream=stream, workspace=None)

    def set_workspace(self, handle, pointer, size):
        assert type(pointer) is int and size > 0
        self.workspaces.append(pointer)
        self.handles[handle]["workspace"] = pointer

    def set_math_mode(self, handle, mode):
        self.handles[handle]["mode"] = mode

    def gemm(self, *args):
        self.calls.append("gemm")
        *start, c, c_type, ldc, compute, algorithm = args
        handle, transa, transb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta = start
        left, right, result = (a, a_type, lda, 0), (b, b_type, ldb, 0), (c, c_type, ldc, 0)
        sizes = (handle, transa, transb, m, n, k, alpha)
        return self._product(*sizes, *left, *right, beta, *result, 1, compute, algorithm)

    def gemm_batched(self, *args):
        self.calls.append("gemm_batched")
        return self._product(*args)

    def _product(
        self, handle, transa, transb, m, n, k, alpha, a, a_type, lda, a_step, b, b_type, ldb, b_step, beta,
        c, c_type, ldc, c_step, count, compute, algorithm,
    ):  # fmt: skip
        integers = (transa, transb, m, n, k, lda, a_step, ldb, b_step, ldc, c_step, count, compute, algorithm)
        if any(type(i) is not int for i in (handle, alpha, a, b, beta, c, *integers)):
            return INVALID_VALUE  # ctypes would refuse NumPy's integers
        if handle not in self.handles or self.handles[handle]["workspace"] is None or algorithm != -1:
            return INVALID_VALUE
        a_rows, a_columns = (k, m) if transa else (m, k)
        b_rows, b_columns = (n, k) if transb else (k, n)
        if min(m, n, k, count) < 1 or lda < a_rows or ldb < b_rows or ldc < m or min(a_step, b_step) < 0:
            return INVALID_VALUE
        if count > 1 and c_step < 1:
            return INVALID_VALUE
        if not a_type == b_type == c_type or (compute == 70) != (a_type == 1) or (compute == 77 and a_type != 0):
            return NOT_SUPPORTED
        self.compute = compute
        dtype, summed_in = _DTYPES[a_type], _SUMMED_IN[compute]
        number = ctypes.c_double if compute == 70 else ctypes.c_float
        alpha, beta = (summed_in(number.from_address(p).value) for p in (alpha, beta))
        left = cast(_columns(a, dtype, a_rows, a_columns, lda, a_step, count), summed_in)
        right = cast(_columns(b, dtype, b_rows, b_columns, ldb, b_step, count), summed_in)
        if transa:
            left = left.swapaxes(1, 2)
        if transb:
            right = right.swapaxes(1, 2)
        result = _columns(c, dtype, m, n, ldc, c_step, count)
        with np.errstate(all="ignore"):
            product = alpha * (left @ right)
            if beta:
                product = product + beta * cast(result, summed_in)
            result[...] = cast(product, dtype)
        return 0
