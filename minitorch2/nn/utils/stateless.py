"""functional_call: a module's forward with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

import warnings
from typing import Any

from ...core.variable import Variable
from ..modules.module import Module
from ..parallel import DataParallel

_ABSENT: Any = object()  # stands in the place of a name that a module does not have


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

    args: a tuple, or the one argument. What forward assigns to a name comes back in `tensors`, and the module is as
    before, after an error too. See func.functional_call for names it does not have, tie_weights and strict.
    """
    if isinstance(module, DataParallel):
        raise RuntimeError("The stateless API can't be used with nn.DataParallel module")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    wanted = with_ties(module, tensors) if tie_weights else tensors
    if strict:
        _check_names(module, wanted)
    own: dict = {}
    try:
        for name, tensor in wanted.items():
            own[name] = _swap(module, name, tensor)
        return module(*args, **(kwargs or {}))
    finally:
        last = {name: _swap(module, name, tensor) for name, tensor in own.items()}
        tensors.update({name: tensor for name, tensor in last.items() if name in tensors and tensor is not _ABSENT})


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


def _swap(root: Module, path: str, tensor: Any) -> Any:
    """Puts a tensor, None or _ABSENT where `path` says, and returns what stood there."""
    prefix, _, name = path.rpartition(".")
    module = root.get_submodule(prefix)
    if not name:
        raise KeyError('tensor name can\'t be empty string ""')
    if not _may_stand(tensor):
        raise TypeError(f"{tensor} is not an instance of torch.Tensor")
    table = next((t for t in (module._parameters, module._buffers) if name in t), None)
    own = getattr(module, name, _ABSENT) if table is None else table[name]
    if not _may_stand(own):
        raise TypeError(f"attribute `{name}`: {own} is not an instance of torch.Tensor")
    if tensor is not _ABSENT:
        if table is None:
            setattr(module, name, tensor)
        else:
            table[name] = tensor
    elif own is not _ABSENT:
        delattr(module, name)
    return own


def _may_stand(tensor: Any) -> bool:
    return tensor is _ABSENT or tensor is None or isinstance(tensor, Variable)
