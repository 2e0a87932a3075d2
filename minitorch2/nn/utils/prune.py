"""Pruning: some of a parameter's elements are held at zero by a mask.

The parameter becomes ``name_orig``, the mask the buffer ``name_mask``, and ``module.name`` their product, computed anew
before each forward pass. Pruning the same parameter again narrows the mask. Source: torch's page
"torch.nn.utils.prune" and its tutorial "Pruning Tutorial".
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ...creation import ones_like, zeros_like
from ...ops.linalg import norm
from ...ops.sorting import kthvalue, topk
from ...random import rand, rand_like
from ...tensor import Tensor
from ..modules.module import Module
from .convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]

_M = TypeVar("_M", bound=Module)


class BasePruningMethod(ABC):
    """A way to prune, and the hook that applies it. A subclass defines ``compute_mask`` and PRUNING_TYPE.

    PRUNING_TYPE says what a second pruning of the same parameter is shown: "unstructured" the elements left, as one
    vector; "structured" the slices along ``dim`` that are not all zero; "global" everything.
    """

    PRUNING_TYPE: str
    _tensor_name: Any = None

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The new mask, of the shape of both: ones where `t` is kept; no more of them than in `default_mask`."""

    def apply_mask(self, module: Module) -> Tensor:
        """The pruned tensor, from the original and the mask of the module."""
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned")
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Prunes ``module.name`` by ``cls(*args, **kwargs)``, on top of what has been pruned; returns the hook.

        importance_scores: what is compared in the tensor's stead, of its shape (AssertionError else).
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        earlier = _take_hook(module, name)
        if earlier is not None:
            container = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            container.add_pruning_method(method)
            method = container
        tensor = getattr(module, name)
        if importance_scores is not None and importance_scores.shape != tensor.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got "
                f"{importance_scores.shape} vs {tensor.shape}"
            )
        if earlier is None:
            module.register_parameter(f"{name}_orig", tensor)
            del module._parameters[name]
            default_mask = ones_like(tensor)
        else:
            default_mask = getattr(module, f"{name}_mask").detach().clone()
        try:
            mask = method.compute_mask(
                tensor if importance_scores is None else importance_scores, default_mask=default_mask
            )
            module.register_buffer(f"{name}_mask", mask)
            method(module, None)
            module.register_forward_pre_hook(method)
        except Exception:
            if earlier is None:
                module.register_parameter(name, tensor)
                del module._parameters[f"{name}_orig"]
            raise
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """`t`, pruned by this method, without any module."""
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as tensor t, got {importance_scores.shape} vs {t.shape}"
            )
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, default_mask=ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Makes the pruned tensor the parameter: the very one, so that an optimizer goes on with it."""
        weight = self.apply_mask(module)
        name = self._tensor_name
        if hasattr(module, name):
            delattr(module, name)
        original: Any = module._parameters.pop(f"{name}_orig")
        original.data = weight.data
        del module._buffers[f"{name}_mask"]
        setattr(module, name, original)


def _find_hook(module: Module, name: str) -> int | None:
    found = [
        key
        for key, hook in module._forward_pre_hooks.items()
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name
    ]
    if len(found) > 1:
        raise AssertionError(
            f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a PruningContainer."
        )
    return found[0] if found else None


def _take_hook(module: Module, name: str) -> Any:
    key = _find_hook(module, name)
    return None if key is None else module._forward_pre_hooks.pop(key)


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, in the order in which they were done."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """TypeError for what is no pruning method, ValueError for one of another parameter."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask narrowed by the last method, which is shown what is left."""
        method: Any = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype)
        part = self._left(method, t, default_mask)
        mask[part] = method.compute_mask(t[part], default_mask=default_mask[part]).to(mask.dtype)
        return mask

    @staticmethod
    def _left(method: Any, t: Tensor, mask: Tensor) -> Any:
        """The index of what `method` is shown."""
        if method.PRUNING_TYPE == "unstructured":
            return mask == 1
        everything = [slice(None)] * t.dim()
        if method.PRUNING_TYPE == "global":
            return tuple(everything)
        if method.PRUNING_TYPE != "structured":
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        if not hasattr(method, "dim"):
            raise AttributeError(
                'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
            )
        dim = method.dim if method.dim >= 0 else t.dim() + method.dim
        if dim < 0:
            raise IndexError(f"Index is out of bounds for tensor with dimensions {t.dim()}")
        left: Any = everything
        left[dim] = mask.sum([d for d in range(t.dim()) if d != dim]) != 0
        return tuple(left)


class Identity(BasePruningMethod):
    """Prunes nothing, but gives the module its mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Amount(BasePruningMethod):
    """Prunes `amount` of what there is: an int counts, a float in [0, 1] is a fraction."""

    def __init__(self, amount: float) -> None:
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (not isinstance(amount, numbers.Integral) and amount > 1):
            raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")
        self.amount = amount

    def _count(self, n: int) -> int:
        """How many of n to prune. ValueError for more than there are."""
        count = int(self.amount) if isinstance(self.amount, numbers.Integral) else round(self.amount * n)
        if count > n:
            raise ValueError(f"amount={count} should be smaller than the number of parameters to prune={n}")
        return count


class RandomUnstructured(_Amount):
    """Prunes elements at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_largest(rand_like, t, default_mask, self._count(t.numel()))


class L1Unstructured(_Amount):
    """Prunes the elements of the smallest magnitude."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_largest(lambda t: t.detach().abs(), t, default_mask, self._count(t.numel()), largest=False)

    @classmethod
    def apply(cls, module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Any:  # type: ignore[override]
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


def _without_largest(score: Any, t: Tensor, mask: Tensor, count: int, largest: bool = True) -> Tensor:
    """A copy of the mask with zeros where score(t) is among the `count` largest, or smallest."""
    mask = mask.clone()
    if count:  # no numbers are drawn for nothing
        mask.view(-1)[topk(score(t).view(-1), count, largest=largest)[1]] = 0
    return mask


class _Structured(_Amount):
    """Prunes whole slices along `dim`."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.dim()} dims"
            )
        if self.dim >= t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        n = t.shape[self.dim]
        count = self._count(n)
        kept = self._kept(t.detach(), n, count)
        if not count:
            return default_mask
        mask, index = zeros_like(t), [slice(None)] * t.dim()
        index[self.dim] = kept
        mask[tuple(index)] = 1
        mask *= default_mask.to(mask.dtype)
        return mask

    def _kept(self, t: Tensor, n: int, count: int) -> Any:
        """An index of the slices to keep, n - count of n."""
        raise AssertionError("a structured pruning says what it keeps")


class RandomStructured(_Structured):
    """Prunes slices along `dim` at random."""

    def _kept(self, t: Tensor, n: int, count: int) -> Any:
        if not count:
            return None
        drawn = rand(n)
        return (drawn > kthvalue(drawn, count)[0]).to(t.device)

    @classmethod
    def apply(cls, module: Module, name: str, amount: float, dim: int = -1) -> Any:  # type: ignore[override]
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Structured):
    """Prunes the slices along `dim` of the smallest n-norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Tensor, n: int, count: int) -> Any:
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return topk(norm(t, self.n, others), n - count)[1]

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
    ) -> Any:
        return super().apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: _M, name: str) -> _M:
    """Gives ``module.name`` a mask of ones; returns the module, as the others below."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: _M, name: str, amount: float) -> _M:
    """Prunes `amount` elements (an int, or a fraction) at random."""
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(module: _M, name: str, amount: float, importance_scores: Tensor | None = None) -> _M:
    """Prunes the `amount` elements of the smallest magnitude, or the smallest scores in magnitude."""
    L1Unstructured.apply(module, name, amount, importance_scores)
    return module


def random_structured(module: _M, name: str, amount: float, dim: int) -> _M:
    """Prunes `amount` slices along `dim` at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: _M, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> _M:
    """Prunes the `amount` slices along `dim` of the smallest n-norm; n may be inf, "fro" and so on."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prunes several parameters as if they were one: pruning_method(**kwargs), an unstructured one.

    importance_scores: by (module, name), for those that have any. TypeError for a structured method, and for arguments
    that are no iterable and no dict.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    pairs = list(parameters)
    tensors: list[Any] = [getattr(module, name) for module, name in pairs]
    masks = [getattr(m, f"{name}_mask", ones_like(t)) for (m, name), t in zip(pairs, tensors, strict=True)]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of '
            f"type {method.PRUNING_TYPE}"
        )
    shown: list[Any] = [scores.get(pair, t) for pair, t in zip(pairs, tensors, strict=True)]
    seen = parameters_to_vector(shown).detach()
    mask = PruningContainer(method).compute_mask(seen, parameters_to_vector(masks))
    start = 0
    for (module, name), t in zip(pairs, tensors, strict=True):
        custom_from_mask(module, name, mask[start : start + t.numel()].view_as(t))
        start += t.numel()


def custom_from_mask(module: _M, name: str, mask: Tensor) -> _M:
    """Prunes where `mask`, of the parameter's shape, is zero."""
    CustomFromMask.apply(module, name, mask=mask)
    return module


def remove(module: _M, name: str) -> _M:
    """Makes the pruned tensor the parameter, without mask and hook; ValueError where it is not pruned."""
    key = _find_hook(module, name)
    if key is None:
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    hook: Any = module._forward_pre_hooks[key]
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of this module, or of one below it, is pruned."""
    hooks = (hook for part in module.modules() for hook in part._forward_pre_hooks.values())
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)
