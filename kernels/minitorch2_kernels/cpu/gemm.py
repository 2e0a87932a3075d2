"""BLAS's matrix product as a C function that compiled loops can call.

np.matmul is a Python call, for which a thread takes the interpreter's lock. A loop of small products on two threads
then waits for the lock as long as it computes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from typing import Any

from .blas import _candidates

# cblas's numbers for: rows lie one after the other; take the matrix as it is; take its transpose
ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112

PANEL = 64  # columns that a thread's part of them does not end within
MOST = 1 << 26  # multiplications
FEWEST, NARROWEST, VECTOR = 8, 48, 16  # rows, and numbers of a sum; columns; numbers in a vector


@functools.cache
def sgemm() -> Any:
    """cblas_sgemm of the OpenBLAS that NumPy has loaded, for ctypes and numba; None with another BLAS.

    C = alpha A B + beta C, called with (order, A's and B's form, m, n, k, alpha, A, its row's length, B, its row's
    length, beta, C, its row's length), the matrices by their addresses.
    """
    for path in dict.fromkeys(_candidates()):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for name, integer in (
                ("scipy_cblas_sgemm64_", ctypes.c_int64),
                ("cblas_sgemm64_", ctypes.c_int64),
                ("scipy_cblas_sgemm", ctypes.c_int),
                ("cblas_sgemm", ctypes.c_int),
            ):
                with contextlib.suppress(AttributeError):
                    function, real, address = getattr(library, name), ctypes.c_float, ctypes.c_void_p
                    matrices = (real, address, integer, address, integer, real, address, integer)
                    function.argtypes = [*(ctypes.c_int,) * 3, *(integer,) * 3, *matrices]
                    function.restype = None
                    return function
    return None


@functools.cache
def sgemm_address() -> int:
    """Where sgemm begins, for compiled code that is kept on disk; 0 with another BLAS, or one of 32-bit sizes."""
    function = sgemm()
    if function is None or function.argtypes[3] is not ctypes.c_int64:
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@functools.cache
def panels_address() -> int:
    """Where our own sgemm begins (panel_loops.py); 0 where OpenBLAS is the faster for every size: with vectors of 32
    bytes, by a tenth."""
    from .panel_loops import sgemm as own
    from .tile import WIDE

    return own.address if WIDE else 0


def is_wide(n: int) -> bool:
    """Whether rows of n numbers are many vectors, almost all of them full."""
    return n >= NARROWEST and -n % VECTOR * 12 <= n


def best_sgemm(m: int, n: int, k: int) -> int:
    """The address of the sgemm that is the faster for C (m, n) and sums over k in one thread, OpenBLAS's or our own.

    That is our own, with vectors of 64 bytes, where C stays in the second-level cache and almost all vectors are full.
    """
    if is_wide(n) and m * n * k <= MOST and min(m, k) >= FEWEST:
        return panels_address() or sgemm_address()
    return sgemm_address()


def multiply_add(a, b, out, add: bool) -> None:
    """out = a b, or where `add` out += a b, which np.matmul cannot: float32 matrices whose rows have no gaps."""
    (m, k), n = a.shape, b.shape[1]
    (pa, la), (pb, lb), (po, lo) = ((x.__array_interface__["data"][0], x.strides[0] // 4) for x in (a, b, out))
    sgemm()(ROW_MAJOR, PLAIN, PLAIN, m, n, k, 1.0, pa, la, pb, lb, float(add), po, lo)
