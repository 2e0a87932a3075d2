"""LazyModuleMixin: modules that learn the size of their inputs from the first of them."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from ..parameter import is_lazy
from .module import Module

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Module):
    """Comes before a layer's class: the layer's parameters and buffers may be uninitialized until it is first called.

    The first call runs ``initialize_parameters`` with the call's arguments, which must materialize them all, and makes
    the module one of ``cls_to_become``, where that is not None. Before it a state may be loaded, which materializes
    what it holds, and the module may be moved and converted. Optimizers may be made before as well.
    """

    cls_to_become: type[Any] | None = None

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize what is uninitialized, for a call with these arguments. Subclasses define it."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module itself has no memory yet."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.cls_to_become is not None or self.has_uninitialized_params():
            self._infer_parameters(args, kwargs)
        if self.cls_to_become is None:
            return super().__call__(*args, **kwargs)
        self.__class__ = self.cls_to_become
        return self(*args, **kwargs)  # by its new class, so that hooks see that one

    def _infer_parameters(self, args: tuple, kwargs: dict[str, Any]) -> None:
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._persistent_state().items():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()

    def _load_from_state_dict(self, state_dict, prefix, *rest) -> None:  # type: ignore[override]
        for name, tensor in self._persistent_state().items():
            loaded = state_dict.get(prefix + name)
            if is_lazy(tensor) and isinstance(loaded, Tensor) and not is_lazy(loaded):
                tensor.materialize(loaded.shape)  # type: ignore[attr-defined]
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _load_tensor(self, key: str, name: str, current: Tensor, loaded: Any, assign: bool) -> str | None:
        if is_lazy(current) and is_lazy(loaded):
            return None
        return super()._load_tensor(key, name, current, loaded, assign)
