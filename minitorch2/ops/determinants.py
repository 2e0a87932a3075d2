"""Determinants, and the exponential of a matrix."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Function
from . import _return_types as return_types
from ._matrices import require_float, require_square
from .arithmetic import Where
from .decompositions import Svd
from .linalg import matrix_transpose, product
from .reduce import Prod
from .solving import Inverse
from .view_ops import Cat, Slice


class Det(Function):
    torch_name = "LinalgDetBackward0"

    @staticmethod
    def forward(ctx, a):
        det = K.det(a)
        ctx.save_for_backward(a, det)
        ctx.save_constants(K.namespace(a).eye(a.shape[-1], dtype=a.dtype))
        return det

    @staticmethod
    def backward(ctx, g):  # d det(A) = <C, dA>, C the cofactors: det(A) A^-T where A is regular
        (a, det), (identity,) = ctx.saved, ctx.constants
        if (det == 0).any():
            return g[..., None, None] * _cofactors(a, identity)
        return (g * det)[..., None, None] * matrix_transpose(Inverse.apply(a)[0])


def _cofactors(a, identity):
    """Of any matrix A = U S V^T: det(U) det(V) U D V^T, D_i being the product of all singular values but S_i."""
    u, s, vh = Svd.apply(a, False)
    others = s[..., None, :] * (1 - identity) + identity  # (..., n, n): in row i, 1 for S_i
    d = Prod.apply(others, len(others.shape) - 1, False)
    return (Det.apply(u) * Det.apply(vh))[..., None, None] * product(u * d[..., None, :], vh)


class SlogDet(Function):
    """The sign of the determinant and the logarithm of its size."""

    torch_name = "LinalgSlogdetBackward0"
    zeros_for_missing = False

    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return K.slogdet(a)

    @staticmethod
    def backward(ctx, _, g):  # d log|det(A)| = <A^-T, dA>; the sign is constant
        (a,) = ctx.saved
        return None if g is None else g[..., None, None] * matrix_transpose(Inverse.apply(a)[0])


class MatrixExp(Function):
    torch_name = "LinalgMatrixExpBackward0"

    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return K.matrix_exp(a)

    @staticmethod
    def backward(ctx, g):  # the upper right block of exp([[A^T, G], [0, A^T]])
        (a,) = ctx.saved
        across, n, dim = matrix_transpose(a), a.shape[-1], len(a.shape) - 1
        above, below = Cat.apply(dim, across, g), Cat.apply(dim, across * 0, across)
        return Slice.apply(MatrixExp.apply(Cat.apply(dim - 1, above, below)), (..., slice(n), slice(n, None)))


def det(A):
    """The determinants of square matrices (..., n, n): shape (...). float32 or float64.

    The gradient of a singular matrix is that of its cofactors, by its singular values. Source: torch.linalg.det.
    """
    require_square("linalg.det", A)
    require_float("linalg.det", A, "lu_cpu")
    return Det.apply(A)


def slogdet(A):
    """(sign, logabsdet), of shape (...) each, of the determinants of (..., n, n): 0 and -inf of a singular matrix."""
    return return_types.slogdet(*_slogdet("linalg.slogdet", A))


def linalg_slogdet(A):
    """(sign, logabsdet), of shape (...) each, of the determinants of (..., n, n): 0 and -inf of a singular matrix."""
    return return_types.linalg_slogdet(*_slogdet("linalg.slogdet", A))


def logdet(A):
    """The logarithm of the determinant: NaN where that is negative, -inf where it is 0."""
    sign, logarithm = _slogdet("logdet", A)
    return Where.apply(sign < 0, math.nan, logarithm)


def _slogdet(op, A):
    require_square(op, A)
    require_float(op, A)
    return SlogDet.apply(A)


def matrix_exp(A):
    """The exponentials of square matrices (..., n, n), by scaling, Taylor's series, and squaring."""
    require_square("linalg.matrix_exp", A)
    if A._data.dtype.kind not in "fV":
        require_float("linalg.matrix_exp", A)
    return MatrixExp.apply(A)
