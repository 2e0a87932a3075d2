"""torch.linalg: norms, products, solvers, decompositions and what is made of them.

Eigenvalues of matrices that are not symmetric are complex, which this library has no numbers for; eig and eigvals are
not here, and neither are LDL factors.
"""

from __future__ import annotations

import math
from typing import Any

from .core.autocast import listed
from .ops import products
from .ops._arguments import names_arguments
from .ops._common import wrap_dim
from .ops._matrices import LinAlgError, require_float
from .ops.arithmetic import Where
from .ops.decompositions import cholesky_ex, eigh, eigvalsh, svdvals
from .ops.decompositions import linalg_cholesky as cholesky
from .ops.decompositions import linalg_qr as qr
from .ops.decompositions import linalg_svd as svd
from .ops.determinants import det, matrix_exp
from .ops.determinants import linalg_slogdet as slogdet
from .ops.householder import householder_product
from .ops.joining import cat
from .ops.least_squares import lstsq, matrix_rank, pinv
from .ops.linalg import matmul, vector_norm
from .ops.lu import linalg_lu as lu
from .ops.lu import linalg_lu_solve as lu_solve
from .ops.lu import lu_factor, lu_factor_ex
from .ops.products import matrix_power, multi_dot
from .ops.scan import cumprod
from .ops.solving import inv, inv_ex, solve, solve_ex, solve_triangular
from .ops.vector_norms import in_norm_dtype, require_norm_dtype
from .ops.views import diagonal as _diagonal
from .ops.views import movedim

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The vector norm over one dim, the matrix norm over two; without ord and dim the 2-norm of all elements."""
    dims = (dim,) if isinstance(dim, int) else dim
    if ord is not None and ((dims is None and A.ndim == 2) or (dims is not None and len(dims) == 2)):
        return matrix_norm(A, ord, dims or (0, 1), keepdim, dtype=dtype)
    if ord is not None and dims is None and A.ndim != 1:
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    return vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype=dtype)


def matrix_norm(A, ord: Any = "fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices in two dims: 'fro', 1 and -1 (the largest, smallest column sum), inf and -inf (of the rows),
    2 and -2 (the largest, smallest singular value), 'nuc' (the sum of these)."""
    A = in_norm_dtype("linalg.matrix_norm", A, dtype)
    if A.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple")
    row, column = (wrap_dim(d, A.ndim) for d in dim)
    if row == column:
        raise RuntimeError("linalg.matrix_norm: dims must be different")
    if ord == "fro":
        return vector_norm(A, 2, (row, column), keepdim)
    if ord in ("nuc", 2, -2):
        require_float("linalg.matrix_norm", A)
        values = svdvals(movedim(A, (row, column), (-2, -1)))
        if ord == 2 and not values._data.shape[-1]:
            result = A.new_zeros(values._data.shape[:-1])  # without a history, as torch's
        elif ord == "nuc":
            result = values.sum(-1)
        else:
            result = values.amax(-1) if ord == 2 else values.amin(-1)
        return result.unsqueeze(min(row, column)).unsqueeze(max(row, column)) if keepdim else result
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    summed, left = (row, column) if abs(ord) == 1 else (column, row)
    sums = vector_norm(A, 1, summed, keepdim)
    left -= summed < left and not keepdim
    if ord < 0:
        return sums.amin(left, keepdim)
    if not sums._data.shape[left]:  # the norm of nothing is 0, without a history, as torch's
        return sums.detach().sum(left, keepdim)
    return sums.amax(left, keepdim)


def cond(A, p=None):
    """The condition number of A (..., m, n): the ratio of its extreme singular values, for p None or 2 the largest by
    the smallest, for -2 the reverse; else, of square matrices, the norm p ('fro', 'nuc', inf, -inf, 1, -1) times that
    of the inverse, infinite where there is none. Source: torch.linalg.cond."""
    if A._data.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    m, n = A._data.shape[-2:]
    if p in (None, 2, -2):
        values = svdvals(A)
        if not min(m, n):
            return values.sum(-1)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    if m != n:
        raise RuntimeError(
            f"linalg.cond(ord={p}): A must be batches of square matrices, but they are {m} by {n} matrices"
        )
    if p not in ("fro", "nuc", math.inf, -math.inf, 1, -1):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if p == "nuc":
        values = svdvals(A)
        return values.sum(-1) * (1 / values).sum(-1)
    inverse, info = inv_ex(A)
    if not n:
        return A.new_zeros(A._data.shape[:-2])
    singular = info != 0
    inverse = Where.apply(singular[..., None, None], 0.0, inverse)
    return Where.apply(singular, math.inf, matrix_norm(A, p) * matrix_norm(inverse, p))


def tensorinv(A, ind=2):
    """The inverse of A as a linear map from its last dims to its first `ind`. LinAlgError where there is none."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    shape = tuple(A._data.shape)
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{columns} != {rows}"
        )
    return inv(A.reshape(rows, columns)).reshape(shape[ind:] + shape[:ind])


def tensorsolve(A, B, dims=None):
    """X with tensordot(A, X, X.ndim) = B, after A's `dims` are moved to its end. LinAlgError where there is none."""
    if dims is not None:
        A = movedim(A, dims, tuple(range(A._data.ndim - len(dims), A._data.ndim)))
    wanted = tuple(A._data.shape[B._data.ndim :])
    rows, columns = B._data.size, math.prod(wanted)
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {columns} != {rows}"
        )
    return solve(A.reshape(rows, columns), B.reshape(-1)).reshape(wanted)


def cross(input, other, *, dim=-1):
    """The cross product along `dim`, of size 3."""
    return products.cross(input, other, dim)


def vecdot(x, y, *, dim=-1):
    """The sum of products along `dim`."""
    require_norm_dtype("linalg.vecdot", x)
    if x._data.dtype != y._data.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {x.dtype.torch_type} and "
            f"y of type {y.dtype.torch_type} instead"
        )
    return (x * y).sum(dim)


def vander(x, *, N=None):
    """The powers 0 to N - 1 of the elements of x (..., n) in a new last dim; n of them unless told."""
    x = x.unsqueeze(-1) if not x._data.ndim else x
    count = x._data.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    if x._data.dtype.kind == "b":
        raise RuntimeError("linalg.vander supports floating point, complex, and integer tensors, but got Bool")
    powers = cumprod(x.unsqueeze(-1).expand(*x._data.shape, count - 1), -1)
    return cat((powers.new_ones((*x._data.shape, 1)), powers), -1)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices in the last two dims, as a view."""
    return _diagonal(A, offset, dim1, dim2)


listed(globals())

_WITHOUT_OUT = ("diagonal", "lstsq", "matrix_exp", "vander")

for _name in __all__[1:]:
    globals()[_name] = names_arguments(globals()[_name], f"linalg_{_name}", takes_out=_name not in _WITHOUT_OUT)
    globals()[_name].__module__ = __name__


def __getattr__(name: str):
    """Anything else of torch.linalg is a clear error."""
    reasons = {
        "eig": "its results are complex numbers; eigh takes symmetric matrices",
        "eigvals": "its results are complex numbers; eigvalsh takes symmetric matrices",
        **dict.fromkeys(("ldl_factor", "ldl_factor_ex", "ldl_solve"), "use solve, inv or lu_factor"),
    }
    if name in reasons:
        raise AttributeError(f"minitorch2: torch.linalg.{name} is not supported: {reasons[name]}")
    raise AttributeError(f"module 'minitorch2.linalg' has no attribute '{name}'")
