"""Pseudo-inverses, ranks and least squares: what the singular values above a tolerance tell of any matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ..core.variable import Variable
from . import _return_types as return_types
from ._common import broadcast_shapes
from ._matrices import LinAlgError, Omitted, require_square
from .decompositions import converging
from .linalg import matmul, matrix_transpose, product
from .reduce import Sum
from .views import expand, squeeze, unsqueeze


class Pinv(Function):
    """The pseudo-inverse P of A, the singular values (eigenvalues if `hermitian`) up to a tolerance taken for 0, and
    these values, which have no gradient here."""

    torch_name = "PinverseBackward0"
    zeros_for_missing = False

    @staticmethod
    def forward(ctx, a, atol, rtol, hermitian):
        if hermitian:  # A = U diag(L) U^T
            values, u = converging("linalg.eigh", a, K.eigh, a, "L")
            v = u
        else:  # A = U diag(S) V^T
            u, values, vh = converging("linalg.svd", a, K.svd, a, False)
            v = vh.swapaxes(-1, -2)
        kept = _above(values, atol, rtol)
        inverses = K.where(kept, 1 / K.where(kept, values, 1), 0)
        p = K.matmul(v * inverses[..., None, :], u.swapaxes(-1, -2))
        ctx.save_for_backward(a, p)
        return p, values

    @staticmethod
    def backward(ctx, g, _):
        # dP = -P dA P + P P^T dA^T (1 - A P) + (1 - P A) dA^T P^T P, with (1 - A P) and (1 - P A) symmetric, so
        # dA = -P^T G P^T + (1 - A P) G^T P P^T + P^T P G^T (1 - P A)
        a, p = ctx.saved
        pt, gt = matrix_transpose(p), matrix_transpose(g)
        right, left = product(gt, p, pt), product(pt, p, gt)
        right, left = right - product(a, product(p, right)), left - product(left, p, a)
        return right + left - product(pt, g, pt), None, None, None


def _above(values, atol, rtol):
    """Which of the singular values or eigenvalues (..., k) are larger than atol and than rtol times the largest."""
    sizes = abs(values)
    if not sizes.shape[-1]:
        return sizes > 0
    return sizes > K.maximum(rtol * sizes.max(axis=-1, keepdims=True), atol)


def _tolerances(A, atol, rtol) -> tuple[Any, Any]:
    """Numbers, or arrays (..., 1) of tensors; rtol's default, max(m, n) eps, is 0 where a positive atol is given."""
    if A._data.dtype not in (np.float32, np.float64):
        raise RuntimeError("This function doesn't handle types other than float and double")
    atol, rtol = (t._data[..., None] if isinstance(t, Variable) else t for t in (atol, rtol))
    if rtol is None:
        rtol = float(np.finfo(A._data.dtype).eps) * max(A._data.shape[-2:])
        if atol is not None:
            rtol = K.where(atol > 0, 0.0, rtol) if hasattr(atol, "dtype") else rtol * (not atol > 0)
    return 0.0 if atol is None else atol, rtol


def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None):
    """The Moore-Penrose inverse (..., n, m) of A (..., m, n).

    Singular values up to max(atol, rtol * the largest) count as 0; the tolerances, numbers or tensors of the batch's
    shape, are 0 and max(m, n) eps by default, and rcond is rtol's older name. With `hermitian`, A is symmetric and its
    lower triangle is read. The gradient is that at a constant rank. Source: torch.linalg.pinv.
    """
    if rcond is not None:
        if atol is not None or rtol is not None:
            raise TypeError("linalg_pinv() received an invalid combination of arguments: rcond beside atol or rtol")
        rtol = rcond
    if A._data.ndim < 2 or A._data.dtype not in (np.float32, np.float64):
        raise RuntimeError(
            f"linalg.pinv({A.dtype.torch_type}{{{list(A._data.shape)}}}): expected a tensor with 2 or more dimensions "
            "of float, double, cfloat or cdouble types"
        )
    if hermitian:
        require_square("linalg.eigh", A)
    atol, rtol = _tolerances(A, atol, rtol)
    batch = broadcast_shapes("pinv", A._data.shape[:-2], *(t.shape[:-1] for t in (atol, rtol) if hasattr(t, "shape")))
    return Pinv.apply(expand(A, (*batch, *A._data.shape[-2:])), atol, rtol, hermitian)[0]


def pinverse(input, rcond=1e-15):
    """torch.linalg.pinv with this rtol."""
    return pinv(input, rcond)


def matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None):
    """How many singular values of A (..., m, n) are above max(atol, rtol * the largest): int64, shape (...).

    The tolerances are pinv's; `tol` is an atol with an rtol of 0. Source: torch.linalg.matrix_rank.
    """
    if A._data.ndim < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    if tol is not None:
        if atol is not None or rtol is not None:
            raise TypeError(
                "linalg_matrix_rank() received an invalid combination of arguments: tol beside atol or rtol"
            )
        atol, rtol = tol, 0.0
    if hermitian:
        require_square("linalg.eigh", A)
    atol, rtol = _tolerances(A, atol, rtol)
    a = A._data
    if hermitian:
        values = converging("linalg.eigh", a, K.eigvalsh, a, "L")
    else:
        values = converging("linalg.svd", a, K.svdvals, a)
    return Function.as_tensor(_above(values, atol, rtol).sum(axis=-1))


def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values): the X of smallest norm among those for which A X - B is smallest.

    A: (..., m, n), B: (..., m, k) or vectors (..., m). solution: (..., n, k) or (..., n), by the pseudo-inverse with
    rtol = rcond, whichever the driver, and with its gradient. residuals: (..., k), the sums of squares, if m > n and
    all have full rank. As in torch the driver says what else is filled, the rest having shape (0): "gelsy", the
    default, the rank alone; "gels" the residuals alone, with a LinAlgError for a rank below min(m, n); "gelsd" and
    "gelss" everything. Source: torch.linalg.lstsq.
    """
    op, a, b = "torch.linalg.lstsq", A._data, B._data
    if a.ndim < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if b.ndim < 1:
        raise RuntimeError(f"{op}: other must have at least 1 dimension.")
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{op}: Expected input and other to have the same dtype, but got input's dtype {A.dtype.torch_type} and "
            f"other's dtype {B.dtype.torch_type}"
        )
    vector = a.ndim - b.ndim
    if vector not in (0, 1):
        raise RuntimeError(
            f"{op}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        )
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"{op}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    right = unsqueeze(B, -1) if vector else B
    m, n = a.shape[-2:]
    if right._data.shape[-2] != m:
        raise RuntimeError(f"{op}: input.size(-2) should match other.size({-1 if vector else -2})")
    batch = broadcast_shapes(op, a.shape[:-2], right._data.shape[:-2])
    left = expand(A, (*batch, m, n))

    atol, rtol = _tolerances(A, None, None if driver == "gels" else rcond)
    inverse, values = Pinv.apply(left, atol, rtol, False)
    values = values.detach()
    solution = matmul(inverse, right)
    rank = Function.as_tensor(K.asarray(_above(values._data, atol, rtol).sum(axis=-1)))
    full = bool((rank._data == min(m, n)).all())
    if driver == "gels" and not full:
        raise LinAlgError(
            f"{op}: The least squares solution could not be computed because the input matrix does not have full rank "
            f"(error code: {int(rank._data.min()) + 1})."
        )
    residuals = Omitted.apply(A, B)
    if m > n and full and driver not in (None, "gelsy"):
        residuals = Sum.apply((matmul(left, solution) - right) ** 2, (solution._data.ndim - 2,), False)
    return return_types.linalg_lstsq(
        squeeze(solution, -1) if vector else solution,
        residuals,
        rank.new_empty(0) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else values.new_empty(0),
    )


listed(globals())
