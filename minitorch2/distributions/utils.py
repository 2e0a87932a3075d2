"""torch.distributions.utils: parameters to common shapes, probabilities and logits."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import enable_grad
from ..core.dtypes import finfo, get_default_dtype
from ..creation import arange, tensor
from ..functions import broadcast_tensors
from ..random import randn
from ..tensor import Tensor

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "euler_constant",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060


def _standard_normal(shape, dtype, device) -> Tensor:
    """What a Normal draws before it scales and shifts: packages' own distributions call it."""
    return randn(shape, dtype=dtype, device=device)


def broadcast_all(*values) -> tuple[Tensor, ...]:
    """The values as tensors of one shape. Numbers take dtype and device of the first tensor, or the default ones.

    ValueError for what is neither a tensor nor a number.
    """
    if not all(isinstance(v, Tensor | int | float) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    first: Any = next((v for v in values if isinstance(v, Tensor)), None)
    like: Any = {"dtype": get_default_dtype()} if first is None else {"dtype": first.dtype, "device": first.device}
    return broadcast_tensors(*(v if isinstance(v, Tensor) else tensor(v, **like) for v in values))


def clamp_probs(probs):
    """Probabilities kept away from 0 and 1 by the dtype's epsilon."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary: bool = False):
    """log probabilities (up to a constant) of categories; log odds where is_binary."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


def logits_to_probs(logits, is_binary: bool = False):
    """The probabilities of categories with these logits, along the last dim; of log odds where is_binary."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def _sum_rightmost(value, dim: int):
    """The sum over the last `dim` dims."""
    return value.reshape((*value.shape[: value.ndim - dim], -1)).sum(-1) if dim else value


def tril_matrix_to_vec(mat, diag: int = 0):
    """The elements of n x n matrices up to the diagonal of this number, row after row, along a last dim."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _tril_mask(mat, n, diag)]


def vec_to_tril_matrix(vec, diag: int = 0):
    """The inverse of tril_matrix_to_vec, with zeros elsewhere. ValueError for a number of elements of no triangle."""
    k, length = 1 + 2 * diag, vec.shape[-1]  # there are n (n + 1) / 2 + n diag of them, less a corner above the matrix
    n = (math.sqrt(k**2 + 8 * length + 4 * abs(diag) * (diag + 1)) - k) / 2
    if round(n) - n > finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {length} which cannot be expressed as the lower triangular part of a "
            "square D x D matrix."
        )
    mat = vec.new_zeros((*vec.shape[:-1], round(n), round(n)))
    mat[..., _tril_mask(vec, round(n), diag)] = vec
    return mat


def _tril_mask(like, n: int, diag: int):
    index = arange(n, device=like.device)
    return index < index.unsqueeze(-1) + (diag + 1)


class Undefined:
    """Stands for what a subclass may define: NotImplementedError until it does."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner) -> Any:
        if instance is None:
            return self
        raise NotImplementedError(f"{type(instance)} does not implement {self.name}")


def lazy_property(method) -> Any:
    """A method as a property that is computed once, when first asked for, and with gradients even under no_grad."""
    return LazyProperty(method)


class LazyProperty:
    """What lazy_property makes: the value, once computed, is an attribute of the instance and hides this."""

    def __init__(self, method):
        self.method, self.__doc__ = method, method.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = instance.__dict__[self.name] = self.method(instance)
        return value
