"""Parametrizations that are ready-made: orthogonal, weight_norm and spectral_norm. (What the last two are:
weight_norm.py and spectral_norm.py, which do the same by hooks.) Source: torch's pages
"torch.nn.utils.parametrizations"."""

from __future__ import annotations

from typing import Any, TypeVar

from ...core.dtypes import finfo
from ...core.grad_mode import no_grad
from ...creation import eye, zeros_like
from ...ops.comparison import allclose
from ...ops.determinants import matrix_exp
from ...ops.householder import geqrf, householder_product
from ...ops.joining import cat
from ...ops.linalg import mv
from ...ops.solving import solve
from ...random import randn
from ...tensor import Tensor
from ..functional.normalization import normalize
from ..modules.module import Module
from ..parameter import is_lazy
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, check_iterations, move, output_dim, random_unit
from .weight_norm import normalised, norms

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_M = TypeVar("_M", bound=Module)


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalised(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norms(weight, self.dim), weight


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """A weight as its lengths, ``parametrizations.weight.original0``, and its direction, ``original1``.

    dim: the one whose slices have lengths of their own; None for one length of all. Also loads the state of a module
    with the older weight_norm (``weight_g``, ``weight_v``). Returns the module.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_older_names(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_older_names)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        n = weight.dim()
        if not -n <= dim < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{n}, {n - 1}] but got {dim})")
        check_iterations(n_power_iterations)
        self.dim = dim % n
        self.eps = eps
        if n > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            rows, columns = matrix.shape
            self.register_buffer("_u", random_unit(matrix, rows, eps))
            self.register_buffer("_v", random_unit(matrix, columns, eps))
            self._iterate(matrix, 15)

    @no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            move(self._u, matrix, self._v, self.eps)
            move(self._v, matrix.t(), self._u, self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:  # a vector's only singular value is its length
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        # Copies: the next time writes to both, and backward may still be to come.
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """A weight divided by its largest singular value; a vector by its length. Returns the module.

    Args:
        n_power_iterations: steps of power iteration each time the weight is asked for in training mode.
        dim: the rows of the weight as a matrix; None is 0, or 1 for transposed convolutions.

    Raises: ValueError where there is no such tensor or n_power_iterations is below 1, IndexError for no dim of it.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if is_lazy(weight):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )
    dim = output_dim(module) if dim is None else dim
    register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module


class _Orthogonal(Module):
    """Of the original X (..., m, n), or its transpose if m < n, an orthogonal Q; `base`, where there is one, times Q.

    matrix_exp, cayley: exp(A) and (1 - A/2)^-1 (1 + A/2), of which the first n columns count, with A = L - L^T and L
    X's lower triangle, filled up with zeros to a square. householder: the product of the reflections that stand
    below X's diagonal, each column times the sign on the diagonal.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Any:
        wide = X.size(-2) < X.size(-1)
        tall = X.mT if wide else X
        Q = _of_reflections(tall) if self.orthogonal_map == "householder" else self._of_skew(tall)
        if hasattr(self, "base"):
            base: Any = self.base
            Q = base @ Q
        return Q.mT if wide else Q

    def _of_skew(self, X: Tensor) -> Tensor:
        n, k = X.shape[-2:]
        lower = X.tril()
        if n != k:
            lower = cat([lower, X.new_zeros(*X.shape[:-1], n - k)], dim=-1)
        A = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            Q = matrix_exp(A)
        else:
            identity = eye(n, dtype=A.dtype, device=A.device)
            Q = solve(identity - A / 2, identity + A / 2)
        return Q if n == k else Q[..., :k]

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        wide = Q.size(-2) < Q.size(-1)
        tall = Q.mT if wide else Q
        if hasattr(self, "base"):
            self.base = _completed(tall)
            # Where the map gives 1, for the householder one too, which reads the diagonal.
            start = zeros_like(Q)
            start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
            return start
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        reflections, tau = geqrf(tall)
        diagonal = reflections.diagonal(dim1=-2, dim2=-1)  # R's, of an orthogonal Q's 1 and -1
        # Without a reflection (tau = 0) Q's column is R's; the map makes one in any case, and so the sign is another.
        diagonal.copy_(diagonal.sign() * (1 - 2 * (tau == 0).to(tau.dtype)))
        return reflections.mT if wide else reflections


def _of_reflections(X: Tensor) -> Tensor:
    below = X.tril(-1)
    tau = 2 / (1 + (below * below).sum(-2))  # 2 / |v|^2, v having a 1 on the diagonal
    signs = X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)  # as integers: no gradient goes there
    return householder_product(below, tau) * signs


def _completed(Q: Tensor) -> Tensor:
    """A square orthogonal matrix, a new one, of which the first columns are those of a tall Q (..., n, k): as they are
    where n = k and they are orthogonal, else made so by QR, the missing ones from random numbers."""
    n, k = Q.shape[-2:]
    if n != k:
        Q = cat([Q, randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype, device=Q.device)], dim=-1)
    elif _is_orthogonal(Q):
        return Q.clone()
    reflections, tau = geqrf(Q)
    return householder_product(reflections, tau) * reflections.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def _is_orthogonal(Q: Tensor) -> bool:
    n, eps = Q.shape[-1], finfo(Q.dtype).eps
    return allclose(Q.mT @ Q, eye(n, dtype=Q.dtype, device=Q.device), atol=10 * n * eps)


def orthogonal(
    module: _M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> _M:
    """A weight (..., m, n) whose columns, or rows where m < n, are orthogonal and of length 1. Returns the module.

    Args:
        orthogonal_map: what makes it of its original: "matrix_exp" (the default for a square), "cayley" or
            "householder" (the default otherwise).
        use_trivialization: a buffer, ``parametrizations.weight[0].base``, holds an orthogonal matrix, and the map turns
            it from there. The weight then starts as it was if that was orthogonal, else as the Q of its QR
            decomposition, and may be assigned to; so it does without, for "householder" alone. It must not be
            parametrized yet.

    Raises: ValueError where there is no such tensor, for one of fewer than 2 dimensions or another map; for a value
    of another shape that is assigned. NotImplementedError for any that is, where the map has no inverse.

    Source: Lezcano-Casado, "Trivializations for Gradient-Based Optimization on Manifolds" (2019).
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.size(-2) == weight.size(-1) else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
    return module
