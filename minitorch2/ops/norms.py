"""Norms under the names they have in torch beside torch.linalg's."""

from __future__ import annotations

from ._common import wrap_dim
from .decompositions import svdvals
from .linalg import norm, vector_norm
from .views import movedim


def frobenius_norm(input, dim, keepdim=False):
    """The square root of the sum of squares over one dim or two; () stands for all dims."""
    dims = tuple(dim) if isinstance(dim, tuple | list) else (dim,)
    if len(dims) > 2:
        raise RuntimeError(f"Expected at most 2 dimensions, but got {len(dims)} dimensions instead.")
    return norm(input, 2, dims or None, keepdim)


def nuclear_norm(input, dim=None, keepdim=False):
    """The sum of the singular values of the matrices in two dims, the last two unless told.

    nuclear_norm(input, True) is keepdim=True: torch has the argument in that place, too.
    """
    if isinstance(dim, bool):
        dim, keepdim = None, dim
    if input._data.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    dims = (-2, -1) if dim is None else dim
    if not isinstance(dims, tuple | list) or len(dims) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple")
    row, column = (wrap_dim(d, input._data.ndim) for d in dims)
    if row == column:
        raise RuntimeError("linalg.matrix_norm: dims must be different")
    result = svdvals(movedim(input, (row, column), (-2, -1))).sum(-1)
    return result.unsqueeze(min(row, column)).unsqueeze(max(row, column)) if keepdim else result


def norm_except_dim(v, pow=2, dim=0):
    """The `pow`-norm over all dims but one, which is kept, the others with size 1; dim=-1: over all dims."""
    if dim == -1:
        return norm(v, pow)
    kept = wrap_dim(dim, v._data.ndim)
    others = [d for d in range(v._data.ndim) if d != kept]
    return vector_norm(v, pow, others, keepdim=True) if others else v.abs()
