"""What a captured step has of its optimizers: numbers and tensors that a graph keeps as they were at its capture."""

from __future__ import annotations

from typing import Any

from minitorch2_kernels import dispatch

from ..core.variable import Variable
from ..optim import Optimizer
from ..optim.optimizer import register_optimizer_step_pre_hook


class Optimizers:
    """`with Optimizers() as found:` notes which optimizers step in the block.

    After `remember`, `options_changed` says whether one of their options (lr, ...) is another than then, and
    `state_replaced` whether they have other parameters or another state, as after load_state_dict.
    """

    def __init__(self) -> None:
        self._found: list[tuple[Optimizer, int]] = []  # and how much state it had at its first step
        self._options: Any = None
        self._states: Any = None

    def __enter__(self) -> Optimizers:
        self._handle = register_optimizer_step_pre_hook(self._note)
        return self

    def __exit__(self, *exc) -> None:
        self._handle.remove()

    def _note(self, optimizer: Optimizer, args, kwargs) -> None:
        if all(optimizer is not found for found, _ in self._found):
            self._found.append((optimizer, _size(optimizer)))

    def remember(self) -> None:
        """RuntimeError where state was made in the block: a graph would make it anew in each replay."""
        for optimizer, size in self._found:
            if _size(optimizer) != size:
                raise RuntimeError(
                    f"capture_step: {type(optimizer).__name__} made state during the capture, which each replay would "
                    "reset; warm up with as many calls as it takes until all parameters have their state"
                )
        self._options, self._states = self._options_now(), self._states_now()

    def options_changed(self) -> bool:
        return self._options_now() != self._options

    def state_replaced(self) -> bool:
        return any(now is not then for now, then in zip(self._states_now(), self._states, strict=True))

    def _options_now(self) -> list:
        return [
            {key: _plain(value) for key, value in group.items() if key not in ("params", "param_names")}
            for optimizer, _ in self._found
            for group in optimizer.param_groups
        ]

    def _states_now(self) -> list:
        return [part for optimizer, _ in self._found for part in (optimizer.state, optimizer.param_groups)]


def _size(optimizer: Optimizer) -> int:
    return sum(len(state) for state in optimizer.state.values())


def _plain(value: Any) -> Any:
    """An option as a graph has it: a tensor on a GPU by its place, any other by its numbers."""
    if isinstance(value, Variable):
        return id(value) if dispatch.on_device(value._data) else value._data.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
