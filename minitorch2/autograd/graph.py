"""torch.autograd.graph: hooks on what the graph saves for backward, and names for its parts."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from minitorch2_kernels.dispatch import is_array

from ..core.dtypes import from_numpy_dtype
from ..core.function import Function
from ..core.grad_mode import state
from ..core.node import GradientEdge, Node
from ..core.variable import Variable
from ..utils.hooks import RemovableHandle

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class _Disabled(threading.local):
    message: str | None = None


_disabled = _Disabled()


class saved_tensors_hooks:
    """A block in which every tensor that is saved for backward goes through pack_hook, and what that gave through
    unpack_hook when backward asks for it.

    pack_hook: tensor -> anything; unpack_hook: that -> a tensor of the first one's shape and dtype. What an op saves is
    not quite what it saves in PyTorch, so the hooks see other tensors, not other results. An op that is made of several
    for its second derivative keeps its arguments besides.
    """

    def __init__(self, pack_hook: Callable[[Variable], Any], unpack_hook: Callable[[Any], Variable]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._outer: list[Any] = []  # the tapes outside the blocks of this object, the innermost last
        self._latest: Any = None

    def __enter__(self) -> None:
        if _disabled.message is not None:
            raise RuntimeError(_disabled.message)
        if isinstance(state.tape, saved_tensors_hooks):
            state.tape._pack_latest()
        self._outer.append(state.tape)
        state.tape = self

    def __exit__(self, *exc: object) -> None:
        try:
            self._pack_latest()
        finally:
            state.tape = self._outer.pop()

    def add(self, node: Any) -> None:
        """Called for each node that is recorded. Not it but the one before is emptied: an in-place method may still
        mend what its node has just saved."""
        self._pack_latest()
        self._latest = node

    def _pack_latest(self) -> None:
        node, self._latest = self._latest, None
        if node is None:
            return
        tape, state.tape = state.tape, None  # what a hook computes is not packed in turn
        try:
            packed = {name: self._packed(values) for name, values in node.held().items() if _has_tensors(values)}
        finally:
            state.tape = tape
        if packed:
            node.drop(packed)
            node.recompute = lambda: self._unpack(node, packed)

    def _unpack(self, node: Any, packed: dict[str, list[_Packed]]) -> None:
        node.recompute = None
        node.hold(
            {name: tuple(value.unpacked(self.unpack_hook) for value in values) for name, values in packed.items()}
        )

    def _packed(self, values: tuple) -> list[_Packed]:
        return [_Packed(value, self.pack_hook) for value in values]


def _has_tensors(values: Any) -> bool:
    return isinstance(values, tuple) and any(is_array(getattr(value, "_data", value)) for value in values)


def _packed(tensor: Variable, pack: Callable[[Variable], Any]) -> Any:
    kept = pack(tensor)
    if tensor._counter[0]:
        raise RuntimeError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot "
            "be modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if "
            "you need to perform in-place operations on the input to a pack hook."
        )
    return kept


class _Packed:
    """One saved value: an array, a tensor (with its place in the graph), or anything else, which stays as it is."""

    def __init__(self, value: Any, pack: Callable[[Variable], Any]) -> None:
        self._bare = is_array(value)
        array: Any = value if self._bare else getattr(value, "_data", None)
        self._packs = is_array(array)
        self._kept = _packed(Function.as_tensor(array), pack) if self._packs else value
        if self._packs and not self._bare:
            self._shell = copy.copy(value) if not isinstance(value, Variable) else _Shell(value)
        if self._packs:
            self._like = array.shape, array.dtype

    def unpacked(self, unpack: Callable[[Any], Variable]) -> Any:
        if not self._packs:
            return self._kept
        tensor = unpack(self._kept)
        if not isinstance(tensor, Variable):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(tensor)}"
            )
        array = tensor._data
        if (array.shape, array.dtype) != self._like:
            raise RuntimeError(
                f"unpack_hook made a tensor of shape {list(array.shape)} and dtype {tensor.dtype} of one of shape "
                f"{list(self._like[0])} and dtype {from_numpy_dtype(self._like[1])}"
            )
        if self._bare:
            return array
        return self._shell.filled(array) if isinstance(self._shell, _Shell) else _with_data(self._shell, array)


class _Shell:
    """A tensor without its numbers: its version and where its gradient goes."""

    def __init__(self, tensor: Variable) -> None:
        self._counter = tensor._counter
        self._edge = tensor._edge() if tensor.requires_grad else None

    def filled(self, array: Any) -> Variable:
        tensor = Function.as_tensor(array)
        tensor._counter = self._counter
        if self._edge is not None:
            tensor._requires_grad, (tensor._grad_fn, tensor._output_nr) = True, self._edge
        return tensor


def _with_data(shell: Any, array: Any) -> Any:
    shell._data = array
    return shell


class save_on_cpu(saved_tensors_hooks):
    """A block in which what is saved for backward waits in the CPU's memory, and returns to its device then."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Any) -> tuple:
            there = tensor.device
            kept = tensor.cpu()
            return there, kept.pin_memory() if pin_memory and there.type == device_type else kept

        super().__init__(pack, lambda packed: packed[1].to(packed[0], non_blocking=pin_memory))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which saved_tensors_hooks is a RuntimeError with this message."""
    before, _disabled.message = _disabled.message, error_message
    try:
        yield
    finally:
        _disabled.message = before


def get_gradient_edge(tensor: Variable) -> GradientEdge:
    """The edge of a tensor that requires a gradient; RuntimeError for one that does not."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*tensor._edge())


def increment_version(tensor: Variable | Iterable[Variable]) -> None:
    """Says of a tensor (or of each of several) that its memory was written, for a write that autograd did not see."""
    for each in (tensor,) if isinstance(tensor, Variable) else tensor:
        each._bump()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[None]:
    """A block in which tensors may be written in place although they are saved for backward, which sees the old values.

    All that is saved inside is copied; torch copies only what is written to. RuntimeError for a block within a block;
    AssertionError for a backward pass outside it through what was saved inside.
    """
    if state.copies_saved:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    over = False

    def check() -> None:
        if over:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
                "in which the graph was originally recorded."
            )

    state.copies_saved = check
    try:
        yield
    finally:
        state.copies_saved, over = None, True


def register_multi_grad_hook(
    tensors: Sequence[Variable], fn: Callable[[Any], None], *, mode: str = "all"
) -> RemovableHandle:
    """Calls fn once in each backward pass that comes to any of these tensors. The handle's remove() ends it.

    mode "all": fn gets the list of their gradients, when the last one is there; None for a tensor that this pass does
    not come to. "any": fn gets the first gradient that is there.

    Raises: ValueError for another mode, AssertionError where mode is "all" and a tensor requires no gradient.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "any":
        first = _first_only(fn)
        return _MultiHandle(tuple(t.register_hook(first) for t in tensors if t.requires_grad))  # type: ignore[attr-defined]
    if not all(t.requires_grad for t in tensors):
        raise AssertionError("Expected gradient function to be set")
    nodes = [_node_of(t) for t in tensors]
    gathered: weakref.WeakKeyDictionary[Any, list] = weakref.WeakKeyDictionary()

    def take(i: int, grad: Any) -> None:
        task = state.task
        if task not in gathered:
            gathered[task] = [[None] * len(nodes), sum(node() in task.nodes for node in nodes)]
        grads, _ = gathered[task]
        grads[i] = grad
        gathered[task][1] -= 1
        if not gathered[task][1]:
            del gathered[task]
            fn(grads)

    return _MultiHandle(tuple(t.register_hook(functools.partial(take, i)) for i, t in enumerate(tensors)))  # type: ignore[attr-defined]


def _first_only(fn: Callable[[Any], None]) -> Callable[[Any], None]:
    done: weakref.WeakSet[Any] = weakref.WeakSet()

    def take(grad: Any) -> None:
        if state.task not in done:
            done.add(state.task)
            fn(grad)

    return take


def _node_of(tensor: Variable) -> Callable[[], Node | None]:
    """Gives the tensor's node, without keeping it: it would keep itself, by the hook."""
    if tensor.grad_fn is not None:
        return weakref.ref(tensor.grad_fn)
    leaf = weakref.ref(tensor)

    def accumulator() -> Node | None:
        tensor = leaf()
        return tensor._accumulator() if tensor is not None and tensor._accumulator else None

    return accumulator


class _MultiHandle(RemovableHandle):
    """The handles of several hooks, as one."""

    def __init__(self, handles: tuple[RemovableHandle, ...]) -> None:
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __getstate__(self) -> Any:
        return self.handles

    def __setstate__(self, state: Any) -> None:
        self.handles = state
