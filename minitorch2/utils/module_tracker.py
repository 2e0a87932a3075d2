"""torch.utils.module_tracker: in which modules the program is, on its way forward and back."""

from __future__ import annotations

import weakref
from typing import Any

from ..autograd.graph import register_multi_grad_hook
from ..core.grad_mode import state
from ..nn.modules.module import Module, register_module_forward_hook, register_module_forward_pre_hook
from ..tensor import Tensor
from ._pytree import tree_leaves
from .hooks import RemovableHandle

__all__ = ["ModuleTracker"]


class ModuleTracker:
    """Inside its block, `parents` names the modules that are being computed, from their root's class on, and "Global".

        with ModuleTracker() as tracker:
            model(x)  # an op in it finds tracker.parents == {"Global", "Net", "Net.layers", "Net.layers.0"}

    In backward those whose gradients are being computed, as far as tensors that go in or come out need gradients.
    """

    def __init__(self) -> None:
        self._forward: list[str] = []
        self._backward: set[str] = set()
        self._task: Any = None  # the backward pass that _backward is about
        self._names: weakref.WeakKeyDictionary[Module, str] = weakref.WeakKeyDictionary()
        self._handles: list[RemovableHandle] = []

    @property
    def is_bw(self) -> bool:
        """Whether a backward pass is under way."""
        return state.backward > 0

    @property
    def parents(self) -> set[str]:
        return {"Global", *self._forward} | (self._backward if self._task is state.task else set())

    def _name_of(self, module: Module) -> str:
        """Its own, given by the module that it was first met in, or its class's; its children get theirs from it."""
        name = self._names.setdefault(module, type(module).__name__)
        for child, part in module.named_children():
            self._names.setdefault(part, f"{name}.{child}")
        return name

    def _enter_backward(self, name: str) -> None:
        if self._task is not state.task:
            self._task, self._backward = state.task, set()
        self._backward.add(name)

    def _enter(self, module: Module, inputs: Any) -> None:
        name = self._name_of(module)
        self._forward.append(name)
        self._when_gradients_come(inputs, lambda grads: self._backward.discard(name))

    def _leave(self, module: Module, inputs: Any, output: Any) -> None:
        name = self._forward.pop()
        self._when_gradients_come(output, lambda grads: self._enter_backward(name))

    def _when_gradients_come(self, values: Any, act: Any) -> None:
        tensors = [t for t in tree_leaves(values) if isinstance(t, Tensor) and t.requires_grad]
        if tensors:
            self._handles.append(register_multi_grad_hook(tensors, act))

    def __enter__(self) -> ModuleTracker:
        self._forward, self._backward, self._task = [], set(), None
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]
        return self

    def __exit__(self, *exc: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
