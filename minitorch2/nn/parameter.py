"""Parameter and Buffer: tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..tensor import Tensor

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A tensor to be trained: assigning it to a module adds it to ``module.parameters()``.

    It shares memory with ``data`` (a tensor of any shape and dtype; None is an empty one), is a leaf, and
    requires a gradient by default. Operations on it give plain tensors.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        _share(self, data)
        if requires_grad and not self.dtype.is_floating_point:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # Without .grad, unlike the copy of a plain tensor.
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """State that is not trained: assigning it to a module registers it as a buffer.

    It shares memory with ``data``. Only ``persistent`` buffers are part of the module's ``state_dict``.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        _share(self, data)
        self.requires_grad = data is not None and data.requires_grad
        self.persistent = persistent


def _share(target: Parameter | Buffer, data: Tensor | None) -> None:
    """Make ``target`` a leaf on the memory of ``data``."""
    if data is None:
        data = empty(0)
    if not isinstance(data, Tensor):
        name = type(target).__name__
        raise AttributeError(
            f"'{type(data).__name__}' object has no attribute 'detach': {name}() takes a Tensor, "
            f"so write {name}(torch.tensor(data))"
        )
    if type(data) not in (Tensor, Parameter, Buffer):
        raise NotImplementedError(
            f"minitorch2: {type(target).__name__}() of a tensor of the subclass {type(data).__name__} is not "
            "supported; pass a plain Tensor."
        )
    source = data.detach()
    target._data = source._data
    target._counter = source._counter  # a write through either is a write to both
