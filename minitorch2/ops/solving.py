"""Systems of linear equations and inverses."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function, called
from . import _return_types as return_types
from ._common import also_called, broadcast_shapes, to_dtype
from ._matrices import raise_for, require_float, require_kernel, require_matrices, require_square
from .linalg import MatMul, matrix_transpose, product
from .rearranging import Tril, Triu
from .views import expand, squeeze, unsqueeze


class Inverse(Function):
    """The inverses of matrices, and info, 0 for those that have one."""

    torch_name = "LinalgInvExBackward0"

    @staticmethod
    def forward(ctx, a):
        inverse, info = K.inv(a)
        ctx.save_for_backward(inverse)
        return inverse, info

    @staticmethod
    def backward(ctx, g, _):  # d(A^-1) = -A^-1 dA A^-1
        (inverse,) = ctx.saved
        across = matrix_transpose(inverse)
        return -product(across, g, across)


class Solve(Function):
    """X with A X = B and info, for matrices whose batches broadcast."""

    torch_name = "LinalgSolveExBackward0"
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        if a.ndim == 2:  # one matrix, factorized once: the batch of right sides as more columns
            columns = K.moveaxis(b, -2, 0)
            x, info = K.solve(a, columns.reshape(a.shape[0], columns[:1].size))
            x = K.moveaxis(x.reshape(columns.shape), 0, -2)
        else:
            x, info = K.solve(*_same_batch(a, b))
            info = _cut(info, a.shape[:-2])
        ctx.save_for_backward(a, x)
        return x, info

    @staticmethod
    def backward(ctx, g, _):  # dB = A^-T G, dA = -dB X^T
        a, x = ctx.saved
        db = Solve.apply(matrix_transpose(a), g)[0]
        return -MatMul.apply(db, matrix_transpose(x)) if ctx.needs_input_grad[0] else None, db


class SolveTriangular(Function):
    """X with T X = B, T the upper or lower triangle of A, `unit` ones on its diagonal; batches broadcast."""

    torch_name = "LinalgSolveTriangularBackward0"
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b, upper, unit):
        x = K.solve_triangular(*_same_batch(a, b), upper, unit)
        ctx.upper, ctx.unit = upper, unit
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx, g):  # dB = T^-T G, dA = -dB X^T within the triangle
        a, x = ctx.saved
        db = SolveTriangular.apply(matrix_transpose(a), g, not ctx.upper, ctx.unit)
        if not ctx.needs_input_grad[0]:
            return None, db, None, None
        da = -MatMul.apply(db, matrix_transpose(x))
        return Triu.apply(da, int(ctx.unit)) if ctx.upper else Tril.apply(da, -int(ctx.unit)), db, None, None


class CholeskySolve(Function):
    """X with L L^T X = B; batches broadcast."""

    broadcasts = True

    @staticmethod
    def forward(ctx, b, factor):
        lower, b = _same_batch(factor, b)
        x = K.solve_triangular(lower.swapaxes(-1, -2), K.solve_triangular(lower, b, False, False), True, False)
        ctx.save_for_backward(factor, x)
        return x

    @staticmethod
    def backward(ctx, g):  # dB = (L L^T)^-1 G; with C = dB X^T, dL = -(C + C^T) L, not cut to the triangle, as torch's
        factor, x = ctx.saved
        db = CholeskySolve.apply(g, factor)
        if not ctx.needs_input_grad[1]:
            return db, None
        c = MatMul.apply(db, matrix_transpose(x))
        return db, -MatMul.apply(c + matrix_transpose(c), factor)


def _cut(info, batch):
    """The info of a batch that was broadcast, for its own matrices alone."""
    if info.shape == batch:
        return info
    if not info.size:
        return K.zeros_like(info, shape=batch)
    own = info[(0,) * (info.ndim - len(batch))]
    return own[tuple(slice(n) for n in batch)]


def _same_batch(a, b):
    """Arrays of matrices with their batches broadcast."""
    batch = broadcast_shapes("", b.shape[:-2], a.shape[:-2])
    return K.broadcast_to(a, (*batch, *a.shape[-2:])), K.broadcast_to(b, (*batch, *b.shape[-2:]))


def inv(A):
    """The inverse of a matrix, or of each of a batch (..., n, n), in float32 or float64.

    LinAlgError where a matrix is singular. Source: torch.linalg.inv.
    """
    require_square("linalg.inv", A)
    require_float("linalg.inv", A)
    inverse, info = Inverse.apply(A)
    raise_for("linalg.inv", info._data, _singular)
    return inverse


def inv_ex(A, *, check_errors=False):
    """(inverse, info): inv without an error; info (int32) is 0, or the number of the pivot that is 0."""
    require_square("linalg.inv", A)
    require_float("linalg.inv", A)
    result = return_types.linalg_inv_ex(*Inverse.apply(A))
    if check_errors:
        raise_for("linalg.inv_ex", result.info._data, _singular)
    return result


def inverse(input):
    """torch.linalg.inv."""
    return inv(input)


def _singular(pivot: int) -> str:
    return (
        f"The diagonal element {pivot} is zero, the inversion could not be completed because the input matrix is "
        "singular."
    )


def solve(A, B, *, left=True):
    """X with A X = B, or X A = B unless `left`. A: (..., n, n).

    B: (..., n, k) (k x n unless `left`), the batches broadcast; or vectors, (n) or A's shape less its last dim, and
    then so is X. LinAlgError where a matrix is singular. Source: torch.linalg.solve.
    """
    x, info = _solve(A, B, left)
    raise_for("torch.linalg.solve", info._data, _unsolvable)
    return x


def solve_ex(A, B, *, left=True, check_errors=False):
    """(result, info): solve without an error; info (int32) is 0, or the number of the pivot that is 0."""
    result = return_types.linalg_solve_ex(*_solve(A, B, left))
    if check_errors:
        raise_for("torch.linalg.solve_ex", result.info._data, _unsolvable)
    return result


def _unsolvable(pivot: int) -> str:
    return "The solver failed because the input matrix is singular."


def _solve(A, B, left):
    op = "linalg.solve"
    require_square(op, A)
    require_float(op, A, "lu_cpu")
    if A._data.dtype != B._data.dtype:
        raise RuntimeError(
            f"{op}: Expected A and B to have the same dtype, but found A of type {A.dtype.torch_type} and B of type "
            f"{B.dtype.torch_type} instead"
        )
    vector = is_vector(A, B)
    b = unsqueeze(B, -1) if vector else B
    check_sides(op, A, b, left)
    if vector and not left:
        raise RuntimeError(
            f"{op}: Vector broadcasting of the left hand side is not supported for left=False. In this case "
            "linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    broadcast_shapes(op, b._data.shape[:-2], A._data.shape[:-2])
    if left:
        x, info = Solve.apply(A, b)
    else:  # A^T X^T = B^T
        x, info = Solve.apply(matrix_transpose(A), matrix_transpose(b))
        x = matrix_transpose(x)
    return squeeze(x, -1) if vector else x, info


def is_vector(A, B) -> bool:
    """Whether B holds vectors, not matrices: one, or as many as A has matrices."""
    return B._data.ndim == 1 or (A._data.ndim - 1 == B._data.ndim and B._data.shape == A._data.shape[:-1])


def check_sides(op, A, B, left):
    require_matrices(op, B, "B")
    a, b = A._data.shape[-2:], B._data.shape[-2:]
    if a[0] != b[0 if left else 1]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B ({a[0]}x{a[1]} and "
            f"{b[0]}x{b[1]})"
        )


def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X with T X = B (X T = B unless `left`), T the upper or lower triangle of A (..., n, n), the rest of A not read.

    B: (..., n, k) (k x n unless `left`), the batches broadcast. The diagonal is taken for ones if `unitriangular`; a 0
    on it gives infinities and NaNs, not an error. The result has A's dtype. Source: torch.linalg.solve_triangular.
    """
    op = "linalg.solve_triangular"
    require_square(op, A)
    check_sides(op, A, B, left)
    broadcast_shapes(op, B._data.shape[:-2], A._data.shape[:-2])
    require_kernel("triangular_solve_cpu", A)
    B = to_dtype(B, A._data.dtype)
    if left:
        return SolveTriangular.apply(A, B, upper, unitriangular)
    return matrix_transpose(SolveTriangular.apply(matrix_transpose(A), matrix_transpose(B), not upper, unitriangular))


def triangular_solve(input, A, upper=True, transpose=False, unitriangular=False):
    """(solution, cloned_coefficient): X with T X = input (T^T X = input if `transpose`), T the upper or lower triangle
    of A (..., n, n), and a copy of A; input: (..., n, k), the batches broadcast. linalg.solve_triangular's older form.
    """
    for x, name in ((input, "b"), (A, "A")):
        if x._data.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has {x._data.ndim} "
                "dimensions instead"
            )
    _check_columns("triangular_solve", input, A)
    batch = broadcast_shapes("triangular_solve", input._data.shape[:-2], A._data.shape[:-2])
    require_kernel("triangular_solve_cpu", A)
    triangle, upper = (matrix_transpose(A), not upper) if transpose else (A, bool(upper))
    solution = called("TriangularSolveBackward0", SolveTriangular.apply(triangle, input, upper, bool(unitriangular)))
    return return_types.triangular_solve(solution, expand(A, (*batch, *A._data.shape[-2:])).clone())


def _check_columns(op, b, A):
    """That columns b (..., n, k) and square matrices A (..., n, n) go together, in the words of torch's older names."""
    if b._data.dtype != A._data.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {b.dtype.torch_type} and A of type "
            f"{A.dtype.torch_type} instead."
        )
    require_square("", A)
    (n, _), (rows, columns) = A._data.shape[-2:], b._data.shape[-2:]
    if n != rows:
        raise RuntimeError(
            f"Incompatible matrix sizes for {op}: each A matrix is {n} by {n} but each b matrix is {rows} by {columns}"
        )


@also_called(input="B", input2="L")
def cholesky_solve(B, L, upper=False):
    """X with L L^T X = B (L^T L X = B if `upper`). B: (..., n, k), L: (..., n, n), the batches broadcast."""
    for x, name in ((B, "b"), (L, "u")):
        if x._data.ndim < 2:
            raise RuntimeError(f"{name} should have at least 2 dimensions, but has {x._data.ndim} dimensions instead")
    _check_columns("cholesky_solve", B, L)
    broadcast_shapes("cholesky_solve", B._data.shape[:-2], L._data.shape[:-2])
    require_kernel("cholesky_solve_cpu", B)
    return CholeskySolve.apply(B, matrix_transpose(L) if upper else L)


@also_called(input="L")
def cholesky_inverse(L, upper=False):
    """The inverse of L L^T (of L^T L if `upper`), L (..., n, n). LinAlgError where L has a 0 on its diagonal."""
    require_square("cholesky_inverse", L)
    require_kernel("cholesky_inverse_out_cpu", L)
    zero = L._data.diagonal(0, -2, -1) == 0
    if zero.size:
        raise_for("cholesky_inverse", K.where(zero.any(axis=-1), zero.argmax(axis=-1) + 1, 0), _singular)
    identity = K.broadcast_to(K.namespace(L._data).eye(L._data.shape[-1], dtype=L._data.dtype), L._data.shape)
    return cholesky_solve(Function.as_tensor(identity), L, upper)


listed(globals())
