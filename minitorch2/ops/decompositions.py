"""Decompositions of matrices: Cholesky's, QR, by singular values and by eigenvalues."""

from __future__ import annotations

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ..core.grad_mode import state
from . import _return_types as return_types
from ._matrices import LinAlgError, raise_for, require_float, require_kernel, require_matrices, require_square
from .linalg import matrix_transpose, product
from .rearranging import Tril
from .solving import SolveTriangular
from .view_ops import Cat, DiagonalBackward


def _mirrored(x):
    """The lower triangles of square matrices and, above, their reflections."""
    return Tril.apply(x, 0) + matrix_transpose(Tril.apply(x, -1))


def _diagonal(x, like):
    """Matrices shaped like `like`, square, with the vectors x as their diagonals."""
    n = len(like.shape)
    return DiagonalBackward.apply(x, tuple(like.shape), 0, n - 2, n - 1)


class Cholesky(Function):
    """The lower L with L L^T = A, and info, 0 where A is positive-definite."""

    torch_name = "LinalgCholeskyExBackward0"

    @staticmethod
    def forward(ctx, a):
        lower, info = K.cholesky(a)
        ctx.save_for_backward(lower)
        return lower, info

    @staticmethod
    def backward(ctx, g, _):  # dA = L^-T M L^-1 / 2, M the lower triangle of L^T G and its reflection
        (lower,) = ctx.saved
        across = matrix_transpose(lower)
        half = SolveTriangular.apply(across, _mirrored(product(across, g)) / 2, True, False)  # L^-T M / 2
        return SolveTriangular.apply(across, matrix_transpose(half), True, False)  # symmetric, as M is


class Qr(Function):
    torch_name = "LinalgQrBackward0"
    zeros_for_missing = False

    @staticmethod
    def forward(ctx, a, mode):
        q, r = K.qr(a, mode)
        ctx.mode = mode
        ctx.save_for_backward(q, r)
        return q, r

    @staticmethod
    def backward(ctx, gq, gr):
        if ctx.mode == "r":
            raise RuntimeError(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
                "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
            )
        q, r = ctx.saved
        k, n = r.shape[-2:]
        if k > n:
            raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
        if n == k:
            return _qr_gradient(q, r, gq, gr), None
        # A = [X Y], R = [T W], T square: X = Q T, and W = Q^T Y, so that dY = Q G_W, and G_Q gets Y G_W^T = Q W G_W^T
        w = r[..., k:]
        gt = gw = None
        if gr is not None:
            gt, gw = gr[..., :k], gr[..., k:]
            more = product(q, product(w, matrix_transpose(gw)))
            gq = more if gq is None else gq + more
        left = _qr_gradient(q, r[..., :k], gq, gt)
        right = product(q, gw) if gw is not None else product(q, w) * 0
        return Cat.apply(len(r.shape) - 1, left, right), None


def _qr_gradient(q, r, gq, gr):
    """dA = (G_Q + Q M) R^-T for a square R, M the lower triangle of R G_R^T - G_Q^T Q and its reflection."""
    m = None if gr is None else product(r, matrix_transpose(gr))
    if gq is not None:
        inner = product(matrix_transpose(gq), q)
        m = -inner if m is None else m - inner
    total = product(q, _mirrored(m))
    total = total if gq is None else gq + total
    return matrix_transpose(SolveTriangular.apply(r, matrix_transpose(total), True, False))


class Svd(Function):
    """U, S, V^T with U diag(S) V^T = A; only the first min(m, n) columns of U and V have gradients, as in torch."""

    torch_name = "LinalgSvdBackward0"
    zeros_for_missing = False

    @staticmethod
    def forward(ctx, a, full):
        u, s, vh = converging("linalg.svd", a, K.svd, a, full)
        ctx.save_for_backward(u, s, vh)
        ctx.save_constants(_infinite_diagonal(s))
        return u, s, vh

    @staticmethod
    def backward(ctx, gu, gs, gvh):
        # dA = U (E * (skew(U^T G_U) S + S skew(V^T G_V)) + diag(G_S)) V^T, where skew(X) = X - X^T and
        # E_ij = 1/(S_j^2 - S_i^2), 0 on the diagonal; and what of G_U and G_V leaves the spaces of U and V:
        # (1 - U U^T) G_U S^-1 V^T + U S^-1 G_V^T (1 - V V^T)
        u, s, vh = ctx.saved
        (infinite,) = ctx.constants
        k = s.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        row, column = s[..., None, :], s[..., :, None]
        gaps = (row - column) * (row + column) + infinite
        middle = None if gs is None else _diagonal(gs, gaps)
        outside = None
        if gu is not None:
            gu = gu[..., :k]
            inner = product(matrix_transpose(u), gu)
            part = (inner - matrix_transpose(inner)) / gaps * row
            middle = part if middle is None else middle + part
            if u.shape[-2] > k:
                outside = product((gu - product(u, inner)) / row, vh)
        if gvh is not None:
            gvh = gvh[..., :k, :]
            inner = product(vh, matrix_transpose(gvh))
            part = column * ((inner - matrix_transpose(inner)) / gaps)
            middle = part if middle is None else middle + part
            if vh.shape[-1] > k:
                part = product(u, (gvh - product(matrix_transpose(inner), vh)) / column)
                outside = part if outside is None else outside + part
        inside = product(u, middle, vh)
        return inside if outside is None else inside + outside, None


class Eigh(Function):
    """L, V with V diag(L) V^T = A, the eigenvalues the smallest first."""

    torch_name = "LinalgEighBackward0"
    zeros_for_missing = False

    @staticmethod
    def forward(ctx, a, uplo):
        values, vectors = converging("linalg.eigh", a, K.eigh, a, uplo)
        ctx.save_for_backward(values, vectors)
        ctx.save_constants(_infinite_diagonal(values))
        return values, vectors

    @staticmethod
    def backward(ctx, gl, gv):
        # dA = V (diag(G_L) + E * skew(V^T G_V)/2) V^T, symmetric; E_ij = 1/(L_j - L_i), 0 on the diagonal
        values, vectors = ctx.saved
        (infinite,) = ctx.constants
        across = matrix_transpose(vectors)
        middle = None if gl is None else _diagonal(gl, vectors)
        if gv is not None:
            inner = product(across, gv)
            gaps = values[..., None, :] - values[..., :, None] + infinite
            turned = (inner - matrix_transpose(inner)) / gaps / 2
            middle = turned if middle is None else middle + turned
        return product(vectors, middle, across), None


def _infinite_diagonal(s):
    """(k, k) for s (..., k): what is divided by it is 0 on the diagonal."""
    xp, k = K.namespace(s), s.shape[-1]
    return xp.where(xp.eye(k, dtype=bool), xp.inf, 0).astype(s.dtype)


def converging(op, a, function, *args):
    """function(*args), with NumPy's LinAlgError in torch's words."""
    try:
        return function(*args)
    except np.linalg.LinAlgError:
        broken = ~K.isfinite(a).all(axis=(-2, -1))
        where = f"(Batch element {int(broken.reshape(-1).argmax())}): " if a.ndim > 2 and broken.any() else ""
        reason = "contained non-finite values" if broken.any() else "is ill-conditioned"
        raise LinAlgError(f"{op}: {where}The algorithm failed to converge because the input matrix {reason}.") from None


def linalg_cholesky(A, *, upper=False):
    """The lower triangular L with L L^T = A, or the upper U with U^T U = A, of symmetric positive-definite matrices
    (..., n, n), of which that triangle alone is read.

    LinAlgError where a matrix is not positive-definite. Source: torch.linalg.cholesky.
    """
    require_square("linalg.cholesky", A)
    require_float("linalg.cholesky", A, "cholesky_cpu")
    factor, info = _cholesky(A, upper)
    raise_for("linalg.cholesky", info._data, _not_positive)
    return factor


def cholesky_ex(A, *, upper=False, check_errors=False):
    """(L, info): cholesky without an error; info (int32) is 0, or the order of the leading minor that is not positive,
    and L is NaN from there on."""
    require_square("linalg.cholesky", A)
    require_float("linalg.cholesky", A, "cholesky_cpu")
    result = return_types.linalg_cholesky_ex(*_cholesky(A, upper))
    if check_errors:
        raise_for("linalg.cholesky_ex", result.info._data, _not_positive)
    return result


def cholesky(input, upper=False):
    """torch.linalg.cholesky, under its older name."""
    require_square("cholesky", input)
    require_kernel("cholesky_cpu", input)
    factor, info = _cholesky(input, upper)
    raise_for("cholesky", info._data, _not_positive)
    return factor


def _cholesky(A, upper):
    lower, info = Cholesky.apply(matrix_transpose(A) if upper else A)
    return matrix_transpose(lower) if upper else lower, info


def _not_positive(order: int) -> str:
    return (
        "The factorization could not be completed because the input is not positive-definite (the leading minor of "
        f"order {order} is not positive-definite)."
    )


def linalg_qr(A, mode="reduced"):
    """(Q, R) with Q R = A (..., m, n), Q's columns orthonormal and R upper triangular.

    mode: "reduced", Q (..., m, k) and R (..., k, n) with k = min(m, n); "complete", Q (..., m, m) and R (..., m, n),
    without a gradient where m > n; "r", an empty Q and no gradient. The signs of R's diagonal are LAPACK's.
    Source: torch.linalg.qr.
    """
    require_matrices("linalg.qr", A)
    require_float("linalg.qr", A, "geqrf_cpu")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    return return_types.linalg_qr(*Qr.apply(A, mode))


def qr(input, some=True):
    """torch.linalg.qr, "reduced" or, unless `some`, "complete"."""
    return return_types.qr(*linalg_qr(input, "reduced" if some else "complete"))


def linalg_svd(A, full_matrices=True, *, driver=None):
    """(U, S, Vh) with U diag(S) Vh = A (..., m, n): S (..., k), the largest first, k = min(m, n).

    U (..., m, m) and Vh (..., n, n), or (..., m, k) and (..., k, n) unless `full_matrices`. Gradients through U and Vh
    are those of their first k columns and rows, and not finite where singular values are equal. LinAlgError for what is
    not finite. Source: torch.linalg.svd.
    """
    _check_svd(A, driver)
    return return_types.linalg_svd(*Svd.apply(A, bool(full_matrices)))


def svdvals(A, *, driver=None):
    """The singular values (..., k) of A (..., m, n), the largest first. Source: torch.linalg.svdvals."""
    _check_svd(A, driver)
    if state.grad and A.requires_grad:
        return Svd.apply(A, False)[1]
    return Function.as_tensor(converging("linalg.svd", A._data, K.svdvals, A._data))


def _check_svd(A, driver):
    require_matrices("linalg.svd", A)
    require_float("linalg.svd", A, "linalg_svd_cpu")
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )


def svd(input, some=True, compute_uv=True):
    """(U, S, V), V not transposed: torch.linalg.svd with full_matrices unless `some`; without `compute_uv`, U and V are
    square and zeros."""
    if input._data.ndim < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input._data.ndim} dimensions instead"
        )
    if not compute_uv:
        batch, m, n = input._data.shape[:-2], *input._data.shape[-2:]
        return return_types.svd(input.new_zeros((*batch, m, m)), svdvals(input), input.new_zeros((*batch, n, n)))
    u, s, vh = linalg_svd(input, not some)
    return return_types.svd(u, s, matrix_transpose(vh))


def eigh(A, UPLO="L"):
    """(eigenvalues (..., n), the smallest first, eigenvectors (..., n, n) as columns) of symmetric matrices, of which
    the lower ("L") or upper ("U") triangle is read.

    The sign of an eigenvector is LAPACK's; gradients through them are not finite where eigenvalues are equal.
    Source: torch.linalg.eigh.
    """
    return return_types.linalg_eigh(*Eigh.apply(A, _checked_uplo("linalg.eigh", A, UPLO)))


def eigvalsh(A, UPLO="L"):
    """The eigenvalues (..., n) of symmetric matrices, the smallest first. Source: torch.linalg.eigvalsh."""
    uplo = _checked_uplo("linalg.eigvalsh", A, UPLO)
    if state.grad and A.requires_grad:
        return Eigh.apply(A, uplo)[0]
    return Function.as_tensor(converging("linalg.eigh", A._data, K.eigvalsh, A._data, uplo))


def _checked_uplo(op, A, uplo) -> str:
    require_square("linalg.eigh", A)
    if uplo.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    require_kernel("linalg_eigh_cpu", A)
    return uplo.upper()


listed(globals())
