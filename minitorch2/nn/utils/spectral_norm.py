"""Spectral normalisation as a hook: a weight divided by its largest singular value.

That value is u W v, where u and v are singular vectors found by power iteration: each forward pass in training takes
one more step. Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018); torch's page
"torch.nn.utils.spectral_norm". The newer form, by parametrization, is parametrizations.spectral_norm.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ...core.grad_mode import no_grad
from ...creation import from_numpy
from ...ops.linalg import dot, mv
from ...tensor import Tensor
from ..functional.normalization import normalize
from ..modules.conv import ConvTranspose1d, ConvTranspose2d
from ..modules.module import Module
from ..parameter import Parameter, is_lazy
from ._hooked import find_hook, refuse_second, take_hook

__all__ = [
    "SpectralNorm",
    "SpectralNormLoadStateDictPreHook",
    "SpectralNormStateDictHook",
    "remove_spectral_norm",
    "spectral_norm",
]

_M = TypeVar("_M", bound=Module)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with `dim` as rows and everything else as columns."""
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.dim()) if d != dim))
    return weight.reshape(weight.shape[0], -1)


def output_dim(module: Module) -> int:
    """The dim of a layer's weight that counts its outputs."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d) else 0


def random_unit(weight: Tensor, n: int, eps: float) -> Tensor:
    """A vector of n normal numbers, scaled to length 1, like `weight`."""
    return normalize(weight.new_empty(n).normal_(0, 1), dim=0, eps=eps)


@no_grad()
def move(vector: Tensor, matrix: Tensor, other: Tensor, eps: float) -> None:
    """Half a step of power iteration: `vector`, in place, becomes the direction of matrix @ other."""
    vector.copy_(normalize(mv(matrix, other), dim=0, eps=eps))


def check_iterations(n_power_iterations: int) -> None:
    if n_power_iterations <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")


class SpectralNorm:
    """The hook that sets ``module.name`` from ``name_orig`` and the buffers ``name_u``, ``name_v``."""

    _version = 1  # 1 saves v and not the weight itself

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        check_iterations(n_power_iterations)
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        return as_matrix(weight, self.dim)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        weight, u, v = (getattr(module, self.name + suffix) for suffix in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            for _ in range(self.n_power_iterations):
                move(v, matrix.t(), u, self.eps)
                move(u, matrix, v, self.eps)
            # Copies: the next forward pass writes to u and v, and backward may still be to come.
            u, v = u.detach().clone(), v.detach().clone()
        return weight / dot(u, mv(matrix, v))

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> SpectralNorm:
        """Registers the hook, its parameter and its buffers. RuntimeError where there is one for `name` already."""
        refuse_second(module, SpectralNorm, name, "spectral_norm")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        rows, columns = as_matrix(weight.detach(), dim).shape
        u, v = random_unit(weight, rows, eps), random_unit(weight, columns, eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)  # until the first forward pass; a tensor, so that it is no parameter
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        module._register_load_state_dict_pre_hook(SpectralNormLoadStateDictPreHook(hook))
        return hook

    def remove(self, module: Module) -> None:
        """Makes the weight a parameter again, with the value it has."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


class SpectralNormStateDictHook:
    """Notes in the metadata of a state dict that it has v."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(self, module: Module, state_dict: Any, prefix: str, local_metadata: dict[str, Any]) -> None:
        versions = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.fn.name}.version"
        if key in versions:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.fn._version


class SpectralNormLoadStateDictPreHook:
    """Works out v where a state dict of PyTorch before 1.0 has the weight in its stead."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        key = prefix + self.fn.name
        version = local_metadata.get("spectral_norm", {}).get(f"{self.fn.name}.version")
        is_new = key not in state_dict and all(key + suffix in state_dict for suffix in ("_orig", "_u", "_v"))
        if version is not None or is_new:  # new, though written without metadata
            return
        missing = [key + suffix for suffix in ("_orig", "", "_u") if key + suffix not in state_dict]
        if missing:
            missing_keys.extend(missing if strict else ())
            return
        with no_grad():
            original, weight = state_dict[f"{key}_orig"], state_dict.pop(key)
            state_dict[f"{key}_v"] = self._solved(original, state_dict[f"{key}_u"], (original / weight).mean())

    def _solved(self, original: Tensor, u: Tensor, sigma: Tensor) -> Tensor:
        """v with u = W v / |W v| and u W v = sigma: the least v that W maps onto u, scaled."""
        matrix = as_matrix(original, self.fn.dim)
        inverse = from_numpy(np.linalg.pinv(matrix.cpu().numpy())).to(matrix.device)
        v = mv(inverse, u)
        return v * (sigma / dot(u, mv(matrix, v)))


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """Divides a parameter by its largest singular value before each forward pass; returns the module.

    The parameter becomes ``name_orig``; u and v are the buffers ``name_u`` and ``name_v``.

    Args:
        n_power_iterations: steps of power iteration in each forward pass in training mode; none in evaluation.
        dim: the rows of the weight as a matrix; None is 0, or 1 for transposed convolutions.

    Raises: ValueError for n_power_iterations below 1 or a parameter that is None, RuntimeError for a second one on it.
    """
    if is_lazy(getattr(module, name, None)):
        raise ValueError(
            "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy "
            "forward before applying spectral normalization"
        )
    SpectralNorm.apply(module, name, n_power_iterations, output_dim(module) if dim is None else dim, eps)
    return module


def remove_spectral_norm(module: _M, name: str = "weight") -> _M:
    """Undoes :func:`spectral_norm`; ValueError where there is none."""
    key = find_hook(module, SpectralNorm, name)
    if key is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    take_hook(module, key).remove(module)
    for hooks in (module._state_dict_hooks, module._load_state_dict_pre_hooks):
        for k, hook in list(hooks.items()):
            if isinstance(hook, SpectralNormStateDictHook | SpectralNormLoadStateDictPreHook) and hook.fn.name == name:
                del hooks[k]
    return module
