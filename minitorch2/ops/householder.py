"""Householder's reflections: matrices A (..., m, n) as QR's algorithm leaves them, and their products.

Column i of A holds, below the diagonal, a vector v of which the elements above are 0 and the one on the diagonal is 1,
neither being read; with tau (..., k) it is the reflection H_i = 1 - tau_i v v^T, and Q = H_1 ... H_k.

With the vectors as the columns of V (m, k) and D = diag(tau), Q is 1 - V T V^T, T being (1 + D S)^-1 D with S = V^T V
above its diagonal: of one reflection more, Q H = Q - (Q v) tau v^T, T gets the column -tau T V^T v over a tau.
"""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function, called
from . import _return_types as return_types
from ._matrices import require_kernel
from .linalg import MatMul, matrix_transpose
from .rearranging import Tril, Triu
from .solving import SolveTriangular
from .views import unsqueeze


class Geqrf(Function):
    """R with the vectors below it, and tau."""

    @staticmethod
    def forward(ctx, a):
        return K.geqrf(a)

    @staticmethod
    def backward(ctx, *_):
        raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


def geqrf(input):
    """(a, tau) of input (..., m, n): R in a's upper triangle, below it the vectors of the reflections whose product is
    Q; tau (..., k), k = min(m, n). NotImplementedError for its derivative, as in torch: linalg.qr has one."""
    _require_matrices("torch.geqrf", input, "input")
    require_kernel("geqrf_cpu", input)
    return return_types.geqrf(*Geqrf.apply(input))


def householder_product(input, tau):
    """The first n columns (..., m, n) of Q, from input (..., m, n), m >= n, and tau (..., k), k <= n.

    float32 or float64. Source: torch.linalg.householder_product.
    """
    op = "torch.linalg.householder_product"
    _require_matrices(op, input, "input")
    (*_, m, n), k = input._data.shape, tau._data.shape[-1] if tau._data.ndim else 0
    if m < n:
        raise RuntimeError(f"{op}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if n < k:
        raise RuntimeError(f"{op}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _require_fitting(op, input, tau)
    if tau._data.dtype != input._data.dtype:
        raise RuntimeError(
            f"{op}: tau dtype {tau.dtype.torch_type} does not match input dtype {input.dtype.torch_type}"
        )
    require_kernel("orgqr_cpu", input)
    vectors, system = _reflections(input, tau)
    scaled = unsqueeze(tau, -1) * matrix_transpose(vectors[..., :n, :])
    product = _identity(input, m, n) - MatMul.apply(vectors, SolveTriangular.apply(system, scaled, True, True))
    return called("LinalgHouseholderProductBackward0", product)


def orgqr(input, input2):
    """torch.linalg.householder_product, under LAPACK's name."""
    return householder_product(input, input2)


def ormqr(input, input2, input3, left=True, transpose=False):
    """Q C (C Q unless `left`), Q^T in Q's place if `transpose`, for C = input3: Q (..., m, m) of input (..., m, n) and
    of tau = input2 (..., k), k = min(m, n). C: (..., m, l) (l x m unless `left`). float32 or float64."""
    _check_product(input, input2, input3, left)
    other = input3 if left else matrix_transpose(input3)
    product = _multiply(input, input2, other, transpose if left else not transpose)  # (C Q)^T = Q^T C^T
    return called("OrmqrBackward0", product if left else matrix_transpose(product))


def _multiply(A, tau, other, transpose):
    vectors, system = _reflections(A, tau)
    inner = MatMul.apply(matrix_transpose(vectors), other)
    if transpose:  # T^T = D (1 + (D S)^T)^-1
        inner = unsqueeze(tau, -1) * SolveTriangular.apply(matrix_transpose(system), inner, False, True)
    else:
        inner = SolveTriangular.apply(system, unsqueeze(tau, -1) * inner, True, True)
    return other - MatMul.apply(vectors, inner)


def _reflections(A, tau):
    """V (..., m, k) and D S (..., k, k)."""
    m, k = A._data.shape[-2], tau._data.shape[-1]
    vectors = Tril.apply(A[..., :k], -1) + _identity(A, m, k)
    return vectors, unsqueeze(tau, -1) * Triu.apply(MatMul.apply(matrix_transpose(vectors), vectors), 1)


def _identity(like, rows, columns):
    return Function.as_tensor(K.namespace(like._data).eye(rows, columns, dtype=like._data.dtype))


def _require_matrices(op, x, name):
    if x._data.ndim < 2:
        raise RuntimeError(f"{op}: {name} must have at least 2 dimensions.")


def _require_fitting(op, A, tau):
    if tau._data.ndim != A._data.ndim - 1:
        raise RuntimeError(
            f"{op}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau._data.ndim} and "
            f"input.ndim is equal to {A._data.ndim}"
        )
    _require_batch(op, "tau", tau._data.shape[:-1], A)


def _require_batch(op, name, batch, A):
    if batch != A._data.shape[:-2]:
        raise RuntimeError(
            f"{op}: Expected batch dimensions of {name} to be equal to input.shape[:-2], but got {list(batch)}"
        )


def _check_product(A, tau, other, left):
    op = "torch.ormqr"
    _require_matrices(op, A, "input")
    _require_matrices(op, other, "other")
    side = -2 if left else -1
    rows, k = other._data.shape[side], tau._data.shape[-1] if tau._data.ndim else 0
    if rows < k:
        raise RuntimeError(f"{op}: other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    if rows != A._data.shape[-2]:
        raise RuntimeError(f"{op}: other.shape[{side}] must be equal to input.shape[-2]")
    if k != min(rows, A._data.shape[-1]):
        raise RuntimeError(f"{op}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    _require_fitting(op, A, tau)
    if other._data.ndim != A._data.ndim:
        raise RuntimeError(
            f"{op}: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
            f"{other._data.ndim} and input.ndim is equal to {A._data.ndim}"
        )
    _require_batch(op, "other", other._data.shape[:-2], A)
    for name, x in (("tau", tau), ("other", other)):
        if x._data.dtype != A._data.dtype:
            raise RuntimeError(
                f"{op}: Expected input and {name} to have the same dtype, but input has dtype {A.dtype.torch_type} and "
                f"{name} has dtype {x.dtype.torch_type}"
            )
    require_kernel("ormqr_cpu", A)


listed(globals())
