"""Parametrizations that are ready-made: weight_norm and spectral_norm. (What they are: weight_norm.py and
spectral_norm.py, which do the same by hooks.) Source: torch's pages "torch.nn.utils.parametrizations"."""

from __future__ import annotations

from typing import Any, TypeVar

from ...core.grad_mode import no_grad
from ...ops.linalg import mv
from ...tensor import Tensor
from ..functional.normalization import normalize
from ..modules.module import Module
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
    dim = output_dim(module) if dim is None else dim
    register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Not supported: it needs the matrix exponential and linear solvers."""
    raise NotImplementedError(
        "minitorch2: parametrizations.orthogonal is not supported; nn.init.orthogonal_ starts from an orthogonal "
        "weight, and a term like ((w @ w.T - torch.eye(n)) ** 2).sum() in the loss keeps it near one."
    )
