"""Approximate decompositions by few singular values, from products with random vectors.

After N. Halko, P.-G. Martinsson and J. Tropp, "Finding structure with randomness", arXiv:0909.4061: a matrix takes
random vectors to ones that lie, nearly, in the space of its first left singular vectors.
"""

from __future__ import annotations

from ..core.dtypes import bfloat16, float32, from_numpy_dtype
from .decompositions import linalg_qr, linalg_svd
from .linalg import matmul, matrix_transpose
from .random import normal_
from .reduce import mean
from .views import expand


def svd_lowrank(A, q=6, niter=2, M=None):
    """(U, S, V), V not transposed, with U diag(S) V^T near A (..., m, n): U (..., m, k), S (..., k), V (..., n, k), k
    being the least of q, m and n.

    q: somewhat more than A's rank. niter: how often the space of the first singular vectors is made more exact. M: what
    is subtracted from A, of a shape that broadcasts to A's. The random numbers are the default generator's, and torch's
    for the same seed. Source: torch.svd_lowrank.
    """
    m, n = A._data.shape[-2:]
    residual = [A] if M is None else [A, expand(M, A._data.shape)]
    if m < n:
        residual = [matrix_transpose(x) for x in residual]
    basis = _basis(residual, 6 if q is None else q, 2 if niter is None else niter)
    u, s, vh = linalg_svd(matrix_transpose(_times([matrix_transpose(x) for x in residual], basis)), False)
    u, v = matmul(basis, u), matrix_transpose(vh)
    return (v, s, u) if m < n else (u, s, v)


def _basis(residual, q, niter):
    """Orthonormal columns (..., m, q) near the space of the first left singular vectors of A, or of A - M."""
    data = residual[0]._data
    dtype = from_numpy_dtype(data.dtype)
    if not dtype.is_floating_point or dtype is bfloat16:  # for which torch draws in single precision, too
        dtype = float32
    vectors = normal_(residual[0].detach().new_empty(data.shape[-1], q, dtype=dtype))
    basis = linalg_qr(_times(residual, vectors)).Q
    across = [matrix_transpose(x) for x in residual]
    for _ in range(niter):
        basis = linalg_qr(_times(residual, linalg_qr(_times(across, basis)).Q)).Q
    return basis


def _times(residual, x):
    """A x, or A x - M x."""
    products = [matmul(a, x) for a in residual]
    return products[0] if len(products) == 1 else products[0] - products[1]


def pca_lowrank(A, q=None, center=True, niter=2):
    """svd_lowrank of A (..., m, n), m samples of n features, less each feature's mean unless `center` is False.

    q: min(6, m, n) unless told. ValueError for a q that is negative or above min(m, n), and for a negative niter.
    Source: torch.pca_lowrank.
    """
    m, n = A._data.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - mean(A, -2, True) if center else A, q, niter)
