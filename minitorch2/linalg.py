"""torch.linalg: norms and products; decompositions and solvers are not supported."""

from __future__ import annotations

import math

from .core.autocast import listed
from .core.dtypes import as_dtype
from .ops import products
from .ops._common import to_dtype, wrap_dim
from .ops.linalg import matmul, vector_norm
from .ops.products import matrix_power, multi_dot
from .ops.views import diagonal as _diagonal

__all__ = ["cross", "diagonal", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "vecdot", "vector_norm"]


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


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices: 'fro', 1 and -1 (the largest, smallest column sum), inf and -inf (of the rows)."""
    if dtype is not None:
        A = to_dtype(A, as_dtype(dtype, "linalg.matrix_norm").numpy)
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
        raise NotImplementedError(
            f"minitorch2: the matrix norm {ord!r} is not supported, since it needs singular values; use "
            "numpy.linalg.norm on .numpy()"
        )
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    summed, left = (row, column) if abs(ord) == 1 else (column, row)
    sums = vector_norm(A, 1, summed, keepdim=True)
    extreme = sums.amax(left, keepdim=True) if ord > 0 else sums.amin(left, keepdim=True)
    return extreme if keepdim else extreme.squeeze((row, column))


def cross(input, other, *, dim=-1):
    """The cross product along `dim`, of size 3."""
    return products.cross(input, other, dim)


def vecdot(x, y, *, dim=-1):
    """The sum of products along `dim`."""
    return (x * y).sum(dim)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices in the last two dims, as a view."""
    return _diagonal(A, offset, dim1, dim2)


listed(globals())
