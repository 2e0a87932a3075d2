"""Weight normalisation as a hook: a weight is g v/|v|, its length apart from its direction.

Source: Salimans and Kingma, "Weight Normalization" (2016); torch's page "torch.nn.utils.weight_norm". The newer form,
by parametrization, is parametrizations.weight_norm.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from ...ops.linalg import vector_norm
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter, is_lazy
from ._hooked import find_hook, refuse_second, take_hook

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]

_M = TypeVar("_M", bound=Module)


def norms(v: Tensor, dim: int) -> Tensor:
    """The length of each slice of `v` along `dim`, of its shape with 1 in the other dims; for -1 of all of v, 0-d."""
    if dim == -1:
        return vector_norm(v)
    kept = dim % v.dim()
    others = [d for d in range(v.dim()) if d != kept]
    # One more dim, so that there is one to sum over where v has a single one.
    return vector_norm(v.unsqueeze(-1), 2, [*others, v.dim()], keepdim=True).squeeze(-1)


def normalised(g: Tensor, v: Tensor, dim: int) -> Tensor:
    """v, with the lengths g."""
    return v * (g / norms(v, dim))


class WeightNorm:
    """The hook that sets ``module.name`` from ``name_g`` and ``name_v`` before each forward pass."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        return normalised(getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Registers the hook and its parameters on `module`. RuntimeError where there is one for `name` already."""
        refuse_second(module, WeightNorm, name, "weight_norm")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        del module._parameters[name]
        module.register_parameter(f"{name}_g", Parameter(norms(weight, hook.dim).data))
        module.register_parameter(f"{name}_v", Parameter(weight.data))
        hook(module, None)
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Makes the weight a parameter again, with the value it has."""
        weight = self.compute_weight(module)
        for name in (self.name, f"{self.name}_g", f"{self.name}_v"):
            delattr(module, name)
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """Replaces a parameter by its length and its direction, ``name_g`` and ``name_v``; returns the module.

    dim: the one whose slices have lengths of their own; None for one length of all. Deprecated, and warns so
    (FutureWarning): parametrizations.weight_norm does the same. RuntimeError for a second one on the same name.
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if is_lazy(getattr(module, name, None)):
        raise ValueError(
            "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy forward "
            "before applying weight normalization"
        )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: _M, name: str = "weight") -> _M:
    """Undoes :func:`weight_norm`; ValueError where there is none."""
    key = find_hook(module, WeightNorm, name)
    if key is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    take_hook(module, key).remove(module)
    return module
