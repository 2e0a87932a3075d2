"""Decompositions of matrices in batches: Cholesky's, by orthogonal and triangular factors, by singular values and by
eigenvalues.

Arrays are float32 or float64, matrices lie in the last two dims, and the dims before them are those of the batch.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace
from .matmul import matmul
from .solving import raising


@kernel
def cholesky(a):
    """The lower triangular l with l l^T = a (..., n, n), of which the lower triangle is read, and info (..., int32): 0,
    or the order of the first leading minor that is not positive; l is NaN from that row on."""
    xp = namespace(a)
    info = xp.zeros(a.shape[:-2], np.int32)
    if not a.size:
        return xp.empty_like(a), info
    try:
        with raising(xp):
            lower = xp.linalg.cholesky(a)
        if (lower.diagonal(0, -2, -1) > 0).all():  # not every LAPACK takes a NaN for a failure
            return lower, info
    except np.linalg.LinAlgError:
        pass
    return _cholesky_by_columns(a)


def _cholesky_by_columns(a):
    """Step by step, for batches where some matrix is not positive-definite: NumPy's routine says only that one is."""
    xp = namespace(a)
    lower, info = xp.zeros_like(a), xp.zeros(a.shape[:-2], np.int32)
    for i in range(a.shape[-1]):
        square = a[..., i, i] - (lower[..., i, :i] ** 2).sum(axis=-1)
        info = xp.where(~(square > 0) & (info == 0), np.int32(i + 1), info)
        lower[..., i, i] = xp.sqrt(xp.where(info == 0, square, xp.nan))
        rest = a[..., i + 1 :, i] - matmul(lower[..., i + 1 :, :i], lower[..., i, :i, None])[..., 0]
        lower[..., i + 1 :, i] = rest / lower[..., i, None, i]
    return lower, info


@kernel
def qr(a, mode):
    """(q, r) with q r = a (..., m, n), q's columns orthonormal, r upper triangular: q (..., m, k) and r (..., k, n),
    k = min(m, n) if mode is "reduced", k = m if it is "complete"; (an empty q, the reduced r) if it is "r"."""
    xp = namespace(a)
    if mode == "r":
        return xp.empty(0, a.dtype), xp.linalg.qr(a, mode="r")
    q, r = xp.linalg.qr(a, mode=mode)
    return q, r


@kernel
def geqrf(a):
    """(h, tau) of a (..., m, n): r in h's upper triangle, below it the vectors v of Householder's reflections, each
    1 - tau v v^T, whose product is q; each v begins with a 1 on h's diagonal that is not stored. tau: (..., k)."""
    xp = namespace(a)
    if not a.size:
        return a.copy(), xp.zeros((*a.shape[:-2], min(a.shape[-2:])), a.dtype)
    if xp is np:
        h, tau = np.linalg.qr(a, mode="raw")
        return h.swapaxes(-1, -2), tau
    h, tau = xp.empty_like(a), xp.empty((*a.shape[:-2], min(a.shape[-2:])), a.dtype)
    for i in np.ndindex(*a.shape[:-2]):  # CuPy has no batches of these
        across, tau[i] = xp.linalg.qr(a[i], mode="raw")
        h[i] = across.T
    return h, tau


@kernel
def svd(a, full):
    """(u, s, vh) with u diag(s) vh = a (..., m, n), s (..., k) the largest first, k = min(m, n); u (..., m, k) and
    vh (..., k, n) have orthonormal columns and rows, or are square if `full`. NumPy's LinAlgError where it fails."""
    xp = namespace(a)
    with raising(xp):
        u, s, vh = xp.linalg.svd(a, full_matrices=full)
    return u, s, vh


@kernel
def svdvals(a):
    """The s of svd alone."""
    xp = namespace(a)
    with raising(xp):
        return xp.linalg.svd(a, compute_uv=False)


@kernel
def eigh(a, uplo):
    """(w, v) with v diag(w) v^T = a (..., n, n), w (..., n) the smallest first, v orthogonal; only a's lower ("L") or
    upper ("U") triangle is read. NumPy's LinAlgError where it fails."""
    xp = namespace(a)
    with raising(xp):
        w, v = xp.linalg.eigh(a, uplo)
    return w, v


@kernel
def eigvalsh(a, uplo):
    """The w of eigh alone."""
    xp = namespace(a)
    with raising(xp):
        return xp.linalg.eigvalsh(a, uplo)
