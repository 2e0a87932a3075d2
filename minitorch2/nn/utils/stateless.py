"""functional_call: a module's forward with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

from ...core.variable import Variable
from ..modules.module import Module
from ..parallel import DataParallel


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """torch.func.functional_call under its older name, with torch's FutureWarning."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future "
        "version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call(module, parameters_and_buffers, args, kwargs, tie_weights, strict)


def call(module: Module, tensors: dict, args: Any, kwargs: dict | None, tie_weights: bool, strict: bool):
    """module(*args, **kwargs) with `tensors`, by their names in the state dict, in place of its own.

    args: a tuple, or the one argument. What forward assigns to a replaced name comes back in `tensors`, and the module
    is as before, after an error too. See func.functional_call for tie_weights and strict.
    """
    if isinstance(module, DataParallel):
        raise RuntimeError("The stateless API can't be used with nn.DataParallel module")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    wanted = with_ties(module, tensors) if tie_weights else tensors
    if strict:
        _check_names(module, wanted)
    with _replaced(module, wanted) as places:
        try:
            return module(*args, **(kwargs or {}))
        finally:
            tensors.update({name: place.get() for name, place in places.items() if name in tensors})


def with_ties(module: Module, tensors: dict) -> dict:
    """`tensors` with one more entry for each other name of the same parameter or buffer."""
    names: dict = {}
    for found in (module.named_parameters, module.named_buffers):
        for name, tensor in found(remove_duplicate=False):
            names.setdefault(tensor, []).append(name)
    result = dict(tensors)
    for tied in names.values():
        given = [name for name in tied if name in tensors]
        if len({id(tensors[name]) for name in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. Consider using "
                "tie_weights=False"
            )
        if given:
            result |= dict.fromkeys(tied, tensors[given[0]])
    return result


def _check_names(module: Module, tensors: dict) -> None:
    own = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    own |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    problems = [
        f"{kind} key(s): {', '.join(map(repr, sorted(names)))}."
        for kind, names in (("Unexpected", set(tensors) - own), ("Missing", own - set(tensors)))
        if names
    ]
    if problems:
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems))


class _Place:
    """Where a module keeps one tensor: among its parameters, its buffers, or its plain attributes."""

    def __init__(self, root: Module, path: str):
        prefix, _, self.name = path.rpartition(".")
        module = self.module = root.get_submodule(prefix)
        self.table: Any = next((t for t in (module._parameters, module._buffers) if self.name in t), None)
        if self.table is None and not hasattr(module, self.name):
            raise AttributeError(f"{module._get_name()} has no attribute `{self.name}`")

    def get(self):
        return getattr(self.module, self.name) if self.table is None else self.table[self.name]

    def put(self, tensor) -> None:
        if tensor is not None and not isinstance(tensor, Variable):
            raise TypeError(f"{tensor} is not an instance of torch.Tensor")
        if self.table is None:
            setattr(self.module, self.name, tensor)
        else:
            self.table[self.name] = tensor


@contextlib.contextmanager
def _replaced(module: Module, tensors: dict):
    places = {name: _Place(module, name) for name in tensors}
    own = {name: place.get() for name, place in places.items()}
    try:
        for name, place in places.items():
            place.put(tensors[name])
        yield places
    finally:
        for name, place in places.items():
            place.put(own[name])
