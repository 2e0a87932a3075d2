"""Distances between vectors."""

from __future__ import annotations

from ...core.autocast import listed
from ...ops._common import require_floating, result_type, to_dtype
from ...ops.inquiry import broadcast_tensors
from ...ops.linalg import vector_norm
from ...ops.products import pdist


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between x1 and x2 along dim, broadcast; a norm below eps counts as eps."""
    dtype = result_type(x1, x2)
    if not dtype.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {dtype.torch_type}")
    x1, x2 = (to_dtype(x, dtype.numpy) for x in broadcast_tensors(x1, x2))
    first, second = (x / vector_norm(x, 2, dim, True).clamp_min(eps) for x in (x1, x2))
    return (first * second).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last dim, broadcast."""
    difference = x1 - x2 + eps
    require_floating("pairwise_distance", difference)
    return difference.norm(p, -1, keepdim)


listed(globals())

__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]
