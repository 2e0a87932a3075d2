"""Solvers: general and triangular systems, inverses and the exponential of matrices, in batches.

Arrays are float32 or float64, matrices lie in the last two dims, and the dims before them are those of the batch.
`info` (int32, the batch's shape) is 0 where a matrix is regular, else the number, from 1, of its first pivot that is 0.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from ..dispatch import kernel, namespace
from .matmul import matmul


def raising(xp) -> Any:
    """A context in which CuPy, too, raises LinAlgError where a routine fails: by itself it does not look."""
    if xp is np:
        return contextlib.nullcontext()
    from cupyx import errstate

    return errstate(linalg="raise")


@kernel
def inv(a):
    """The inverses of a (..., n, n), and info. A singular matrix has the infinities and NaNs that elimination gives."""
    xp = namespace(a)
    if not a.size:
        return xp.empty_like(a), xp.zeros(a.shape[:-2], np.int32)
    try:
        with raising(xp):
            return xp.linalg.inv(a), xp.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return eliminate(a, xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape))


@kernel
def solve(a, b):
    """x (..., n, k) of a x = b, for a (..., n, n) and b (..., n, k) of the same leading dims, and info, as for inv."""
    xp = namespace(a)
    if not b.size:
        return xp.empty_like(b), xp.zeros(a.shape[:-2], np.int32)
    try:
        with raising(xp):
            return xp.linalg.solve(a, b), xp.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return eliminate(a, b)


def eliminate(a, b):
    """Gauss's elimination, the largest element of a column as its pivot, step by step: (x of a x = b, info).

    For batches that have a singular matrix among them: NumPy's routines say only that there is one.
    """
    xp = namespace(a)
    n = a.shape[-1]
    rows = xp.concatenate((a, b), axis=-1)  # (..., n, n + k)
    info = xp.zeros(a.shape[:-2], np.int32)
    places = xp.arange(n)
    for i in range(n):
        largest = i + abs(rows[..., i:, i]).argmax(axis=-1)[..., None]  # (..., 1)
        order = xp.where(places == i, largest, xp.where(places == largest, i, places))  # rows i and largest exchanged
        rows = xp.take_along_axis(rows, order[..., None], axis=-2)
        pivot = rows[..., i, i]
        info = xp.where((pivot == 0) & (info == 0), np.int32(i + 1), info)
        factor = rows[..., i + 1 :, i] / xp.where(pivot == 0, 1, pivot)[..., None]  # below a pivot of 0 all are 0
        rows[..., i + 1 :, :] -= factor[..., None] * rows[..., i, None, :]
    return _back_substitute(rows[..., :n], rows[..., n:]), info


@kernel
def slogdet(a):
    """(sign, logarithm of the size), of shape (...) each, of the determinants of a (..., n, n)."""
    xp = namespace(a)
    sign, logarithm = xp.linalg.slogdet(a)
    return _nan_of_nan(a, sign), _nan_of_nan(a, logarithm)


@kernel
def det(a):
    """The determinants (...) of a (..., n, n)."""
    return _nan_of_nan(a, namespace(a).linalg.det(a))


def _nan_of_nan(a, result):
    """Some LAPACKs take a NaN for a pivot of 0, and the matrix for singular."""
    xp = namespace(a)
    return xp.where(xp.isnan(a).any(axis=(-2, -1)), xp.asarray(xp.nan, a.dtype), result)


@kernel
def solve_triangular(a, b, upper, unit):
    """x of t x = b, t the upper or lower triangle of a (..., n, n), with ones as its diagonal if `unit`; the rest of a
    is not read. b and x: (..., n, k), with a's leading dims. A 0 on the diagonal divides as IEEE 754 says."""
    xp = namespace(a)
    if unit:
        a = xp.where(xp.eye(a.shape[-1], dtype=bool), xp.ones((), a.dtype), a)
    if upper:
        return _back_substitute(a, b)
    return _back_substitute(a[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :].copy()  # backwards, lower is upper


def _back_substitute(a, b):
    """The lower half of the unknowns first; with these known, the upper half. All but n divisions are products."""
    n = a.shape[-1]
    if n < 2:
        return b / a if n else b.copy()
    half = n // 2
    below = _back_substitute(a[..., half:, half:], b[..., half:, :])
    above = _back_substitute(a[..., :half, :half], b[..., :half, :] - matmul(a[..., :half, half:], below))
    return namespace(a).concatenate((above, below), axis=-2)


@kernel
def matrix_exp(a):
    """The exponentials of the matrices a (..., n, n): exp(a) = exp(a / 2^s)^(2^s), s such that the 1-norm of a / 2^s is
    at most 1/2; there the powers of the series up to the 16th reach float64's precision (0.5^17 / 17! < 2^-64).

    In float64 throughout: each squaring doubles the error."""
    xp, dtype = namespace(a), a.dtype
    if not a.size:
        return a.copy()
    a = a.astype(np.float64)
    norm = abs(a).sum(axis=-2).max(axis=-1)  # (...)
    squarings = xp.where(xp.isfinite(norm) & (norm > 0.5), xp.ceil(xp.log2(xp.maximum(norm, 0.5))) + 1, 0)
    a = a * xp.exp2(-squarings).astype(a.dtype)[..., None, None]
    powers = [xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape), a, matmul(a, a)]
    powers.append(matmul(powers[2], a))
    fourth = matmul(powers[2], powers[2])
    result = powers[0] / math.factorial(16)
    for first in (12, 8, 4, 0):  # Horner's rule in a^4, four powers at a time
        result = matmul(result, fourth) + sum(p / math.factorial(first + i) for i, p in enumerate(powers))
    for i in range(int(squarings.max())):
        result = xp.where((squarings > i)[..., None, None], matmul(result, result), result)
    return result.astype(dtype)
