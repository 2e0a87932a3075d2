"""Triangular factors, A = P L U, and systems that are solved by them.

A: (..., m, n), k = min(m, n); P (..., m, m) exchanges rows, L (..., m, k) is lower triangular with ones on its
diagonal, U (..., k, n) upper triangular.
"""

from __future__ import annotations

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.device import CPU, device_of
from ..core.function import Function, called
from . import _return_types as return_types
from ._common import broadcast_shapes
from ._matrices import Omitted, raise_for, require_float, require_kernel, require_matrices, require_square
from .linalg import matrix_transpose, product
from .rearranging import Tril, Triu
from .solving import SolveTriangular, check_sides
from .view_ops import Cat
from .views import expand


class Rows(Function):
    """The rows of matrices (..., m, n) in another order (..., m), in which each occurs once."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, order):
        ctx.save_constants(order.argsort(axis=-1))
        return K.take_along_axis(x, order[..., None], axis=-2)

    @staticmethod
    def backward(ctx, g):
        (inverse,) = ctx.constants
        return Rows.apply(g, inverse), None


class LuFactor(Function):
    """L and U in one array (without L's ones), pivots, and info, 0 where no pivot is."""

    torch_name = "LinalgLuFactorExBackward0"

    @staticmethod
    def forward(ctx, a):
        lu, pivots, info = K.lu_factor(a)
        ctx.save_for_backward(lu)
        ctx.save_constants(K.row_order(pivots, a.shape[-2]).argsort(axis=-1), _ones_of(lu))
        return lu, pivots, info

    @staticmethod
    def backward(ctx, g, _, __):  # L's gradient above the diagonal and U's below it meet constants: g serves as both
        (lu,), (inverse, ones) = ctx.saved, ctx.constants
        k = min(lu.shape[-2:])
        lower, upper = Tril.apply(lu[..., :k], -1) + ones, Triu.apply(lu[..., :k, :], 0)
        return Rows.apply(_gradient(lower, upper, g[..., :k], g[..., :k, :]), inverse)


class Lu(Function):
    """L, U and pivots."""

    torch_name = "LinalgLuBackward0"

    @staticmethod
    def forward(ctx, a):
        lu, pivots, _ = K.lu_factor(a)
        k = min(a.shape[-2:])
        lower, upper = K.tril(lu[..., :k], -1) + _ones_of(lu), K.triu(lu[..., :k, :])
        ctx.save_for_backward(lower, upper)
        ctx.save_constants(K.row_order(pivots, a.shape[-2]).argsort(axis=-1))
        return lower, upper, pivots

    @staticmethod
    def backward(ctx, gl, gu, _):
        (lower, upper), (inverse,) = ctx.saved, ctx.constants
        return Rows.apply(_gradient(lower, upper, gl, gu), inverse)


def _gradient(lower, upper, gl, gu):
    """The gradient of L U = P^T A, from those of L and U.

    Of a square A: with F = L^-1 P^T dA U^-1, dL is L times F's part below the diagonal, and dU is the rest of F times
    U. So F's gradient M is that part of L^T G_L and the rest of G_U U^T, and P^T A's is L^-T M U^-T.
    More columns, U = [U1 U2] with P^T A = [L U1, L U2], add L^-T G_U2 on the right, and -G_U2 U2^T to L^T G_L.
    More rows, L = [L1; L2] with P^T A = [L1 U; L2 U], add G_L2 U^-T below, and -L2^T G_L2 to G_U U^T.
    """
    k = upper.shape[-2]
    rows, columns, last = lower.shape[-2] > k, upper.shape[-1] > k, len(lower.shape) - 1
    l1, u1, gl2, gu2 = lower[..., :k, :], upper[..., :k], gl[..., k:, :], gu[..., k:]
    below, above = product(matrix_transpose(l1), gl[..., :k, :]), product(gu[..., :k], matrix_transpose(u1))
    if columns:
        below = below - product(gu2, matrix_transpose(upper[..., k:]))
    if rows:
        above = above - product(matrix_transpose(lower[..., k:, :]), gl2)
    g = Tril.apply(below, -1) + Triu.apply(above, 0)
    if rows:
        g = Cat.apply(last - 1, g, gl2)
    g = matrix_transpose(SolveTriangular.apply(u1, matrix_transpose(g), True, False))
    rest, g = g[..., k:, :], g[..., :k, :]
    if columns:
        g = Cat.apply(last, g, gu2)
    g = SolveTriangular.apply(matrix_transpose(l1), g, True, True)
    return Cat.apply(last - 1, g, rest) if rows else g


def _ones_of(lu):
    """(m, k): L's diagonal of ones, for lu (..., m, n)."""
    return K.cast(K.namespace(lu).eye(lu.shape[-2], min(lu.shape[-2:]), dtype=np.float32), lu.dtype)


def lu_factor(A, *, pivot=True):
    """(LU, pivots): LU (..., m, n) has U in its upper triangle and, below it, L without its ones; pivots (..., k),
    int32, say of each step which row, from 1, came to its place.

    RuntimeError where a pivot is 0, and for pivot=False, which torch has on GPUs alone (NotImplementedError there).
    Source: torch.linalg.lu_factor.
    """
    lu, pivots, info = _factors("torch.lu_factor", A, pivot)
    raise_for("torch.linalg.lu_factor", info._data, _no_divisor, RuntimeError)
    return return_types.linalg_lu_factor(lu, pivots)


def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """(LU, pivots, info): lu_factor without an error; info (int32) is 0, or the number of the first pivot that is 0."""
    result = return_types.linalg_lu_factor_ex(*_factors("torch.lu_factor", A, pivot))
    if check_errors:
        raise_for("torch.linalg.lu_factor_ex", result.info._data, _no_divisor, RuntimeError)
    return result


def linalg_lu(A, *, pivot=True):
    """(P, L, U) with P L U = A. Source: torch.linalg.lu."""
    _check_factorizable("linalg.lu", A, pivot)
    lower, upper, pivots = Lu.apply(A)
    return return_types.linalg_lu(_permutation(pivots._data, A), lower, upper)


def lu(A, pivot=True, get_infos=False):
    """(LU, pivots), and info with `get_infos`: torch.linalg.lu_factor_ex under its older name."""
    result = _factors("torch.lu_factor", A, pivot)
    return return_types._lu_with_info(*result) if get_infos else result[:2]


def method_lu(input, pivot=True, get_infos=False):
    """torch.lu, which gives a plain tuple here."""
    return tuple(lu(input, pivot, get_infos))


def _factors(op, A, pivot):
    _check_factorizable(op, A, pivot)
    return LuFactor.apply(A)


def _check_factorizable(op, A, pivot):
    _require_matrices(op, A)
    require_kernel("lu_cpu", A)
    if pivot:
        return
    if device_of(A._data) == CPU:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    raise NotImplementedError("minitorch2: linalg.lu_factor: pivot=False is not supported")


def _require_matrices(op, x):
    if x._data.ndim < 2:
        raise RuntimeError(f"{op}: Expected tensor with 2 or more dimensions. Got size: {list(x._data.shape)} instead")


def _no_divisor(pivot: int) -> str:
    return (
        f"U[{pivot},{pivot}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
        "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
    )


def _permutation(pivots, like):
    """P (..., m, m), of like's dtype."""
    rows = like._data.shape[-2]
    ones = K.namespace(pivots).arange(rows)[:, None] == K.row_order(pivots, rows)[..., None, :]
    return Function.as_tensor(K.cast(ones.astype(np.float32), like._data.dtype))


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """(P, L, U) of what lu_factor gives: LU_data (..., m, n), LU_pivots (..., k), int32.

    P is empty, of shape (0), unless `unpack_pivots`, and so are L and U unless `unpack_data`.
    """
    _require_matrices("torch.lu_unpack", LU_data)
    if unpack_pivots and LU_pivots._data.dtype != np.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    if unpack_data:
        k = min(LU_data._data.shape[-2:])
        lower = Tril.apply(LU_data[..., :k], -1) + Function.as_tensor(_ones_of(LU_data._data))
        upper = Triu.apply(LU_data[..., :k, :], 0)
    else:
        lower, upper = Omitted.apply(LU_data), Omitted.apply(LU_data)
    lower, upper = called("LuUnpackBackward0", lower), called("LuUnpackBackward0", upper)
    if not unpack_pivots:
        return return_types.lu_unpack(LU_data.new_empty(0), lower, upper)
    pivots, wanted = LU_pivots._data, (*LU_data._data.shape[:-2], min(LU_data._data.shape[-2:]))
    if pivots.shape != wanted:
        raise RuntimeError(f"torch.lu_unpack: expected LU_pivots of shape {list(wanted)}, not {list(pivots.shape)}")
    if ((pivots < 1) | (pivots > LU_data._data.shape[-2])).any():
        raise RuntimeError(
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result "
            "of lu_factor?"
        )
    return return_types.lu_unpack(_permutation(pivots, LU_data), lower, upper)


def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X with A X = B (X A = B unless `left`), A^T in A's place if `adjoint`, by what lu_factor gives of A (..., n, n).

    B: (..., n, k) (k x n unless `left`), the batches broadcast. A pivot of 0 gives infinities and NaNs, not an error.
    Source: torch.linalg.lu_solve.
    """
    _check_solvable("linalg.lu_solve", LU, pivots, B, left)
    if left:
        x = _solve(LU, pivots, B, adjoint)
    else:  # A^T X^T = B^T
        x = matrix_transpose(_solve(LU, pivots, matrix_transpose(B), not adjoint))
    return called("LinalgLuSolveBackward0", x)


def lu_solve(input, LU_data, LU_pivots):
    """X with A X = input: torch.linalg.lu_solve under its older name."""
    return linalg_lu_solve(LU_data, LU_pivots, input)


def _solve(LU, pivots, B, adjoint):
    rows = LU._data.shape[-1]
    batch = broadcast_shapes("lu_solve", B._data.shape[:-2], LU._data.shape[:-2])
    order = K.broadcast_to(K.row_order(pivots._data, rows), (*batch, rows))
    if adjoint:  # U^T L^T P^T X = B
        across = matrix_transpose(LU)
        x = SolveTriangular.apply(across, SolveTriangular.apply(across, B, False, False), True, True)
        return Rows.apply(x, order.argsort(axis=-1))
    permuted = Rows.apply(expand(B, (*batch, *B._data.shape[-2:])), order)
    return SolveTriangular.apply(LU, SolveTriangular.apply(LU, permuted, False, True), True, False)


def _check_solvable(op, LU, pivots, B, left):
    require_square(f"torch.{op}", LU)
    require_float(f"torch.{op}", LU, f"{op}_cpu")
    if LU._data.dtype != B._data.dtype:
        raise RuntimeError(
            f"{op}: Expected LU and B to have the same dtype, but found LU of type {LU.dtype.torch_type} and B of type "
            f"{B.dtype.torch_type} instead"
        )
    if pivots._data.dtype != np.int32:
        raise RuntimeError(f"{op}: pivots should be a Tensor of scalar type torch.int32")
    require_matrices(op, B, "B")
    check_sides(op, LU, B, left)
    shape, n = pivots._data.shape, LU._data.shape[-1]
    if not shape or shape[-1] != n:
        raise RuntimeError(f"{op}: Number of pivots per batch should be same as the dimension of the matrix")
    if shape != LU._data.shape[:-1]:
        raise RuntimeError(
            f"{op}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape {list(shape)} "
            "instead"
        )
    for bad, bound in (
        (pivots._data < 1, "greater or equal to 1"),
        (pivots._data > n, "smaller or equal to LU.size(-2)"),
    ):
        if bad.any():
            raise RuntimeError(
                f"Pivots given to lu_solve must all be {bound}. Did you properly pass the result of lu_factor?"
            )


listed(globals())
