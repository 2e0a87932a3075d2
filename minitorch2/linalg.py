"""torch.linalg: the part that is supported."""

from .ops.linalg import matmul, norm, vector_norm

__all__ = ["matmul", "norm", "vector_norm"]
