"""Which layer of PyTorch each of ours is, and modules from and to the states that torch gives them.

Our layers keep the attributes of torch's under the same names, so that a module moves between the two by its
``__dict__``: a pickle of a whole module, and the bridge to live torch modules, both come here to learn the class
that a path names, to make a module from the ``__dict__`` torch gave it, and to get the ``__dict__`` torch expects.
Nothing here imports torch. A state may come from a file of anybody's: it is checked, not trusted. (Which attributes
a layer has: _torch_attributes.)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from ...core.placing import place
from ...tensor import Tensor
from ..parameter import Parameter
from ._torch_attributes import REGISTRIES, check_attributes, complete, left_to_torch, made_for_torch
from .module import _HOOK_DICTS, Module

__all__ = ["fill", "layer_classes", "place_layers", "refuse_hooks", "restore", "torch_path", "torch_state"]

# Where torch keeps a layer in another file than we do: by our file, or by the class.
_TORCH_FILES = {"margin_loss": "loss", "parameter_container": "container", "rnn_cells": "rnn"}
_TORCH_FILES |= {"transformer_layers": "transformer", "conv3d": "conv", "pooling3d": "pooling"}
_TORCH_FILES |= {"fractional_pooling": "pooling", "linear_cross_entropy": "loss"}
_TORCH_FILES |= {"MultiheadAttention": "activation", "NonDynamicallyQuantizableLinear": "linear"}
_TORCH_FILES |= {"PixelShuffle": "pixelshuffle", "PixelUnshuffle": "pixelshuffle", "ChannelShuffle": "channelshuffle"}

_ABOUT_HOOKS = frozenset((*_HOOK_DICTS, "_is_full_backward_hook", "_hooked"))


@functools.cache
def layer_classes() -> Mapping[str, type[Module]]:
    """Our class for each layer of torch we have, by the path under which pickles name it:
    ``"torch.nn.modules.linear.Linear"``. Without the lazy ones, which have no weights to take along."""
    from .. import modules
    from .attention import NonDynamicallyQuantizableLinear
    from .lazy import LazyModuleMixin

    classes = [NonDynamicallyQuantizableLinear, *(getattr(modules, name) for name in modules.__all__)]
    layers = [cls for cls in classes if isinstance(cls, type) and issubclass(cls, Module)]
    return {_path(cls): cls for cls in layers if not issubclass(cls, LazyModuleMixin)}


@functools.cache
def _paths() -> Mapping[type[Module], str]:
    return {cls: path for path, cls in layer_classes().items()}


def torch_path(cls: type) -> str | None:
    """The path of torch's class that ``cls`` is; None for a class that is no layer of torch's (a subclass, too)."""
    return _paths().get(cls)


def _path(cls: type[Module]) -> str:
    file = (getattr(cls, "cls_to_become", None) or cls).__module__.rpartition(".")[2]
    file = _TORCH_FILES.get(cls.__name__) or _TORCH_FILES.get(file, file)
    return f"torch.nn.modules.{file}.{cls.__name__}"


def place_layers(classes: Iterable[type[Module]]) -> None:
    """Makes each layer an attribute of the module in which torch has it, too."""
    for cls in classes:
        place(_path(cls).removeprefix("torch.").rpartition(".")[0], {cls.__name__: cls})


def restore(cls: type[Module], state: Mapping[str, Any]) -> Module:
    """A module of ``cls`` with the ``__dict__`` that torch gave the same module, made without calling ``__init__``.

    ``cls`` is one of :func:`layer_classes`, or a Module subclass of the user's, whose plain attributes are taken as
    they come. The values of ``state`` are ours already: Tensor, Parameter and Module objects of minitorch2, of which
    none is copied. What an older torch did not have yet gets its default.

    Raises:
        ValueError: for an attribute the layer does not have or a value it does not support, for hooks, for parameters,
            buffers or submodules that are none, and where something the layer needs is missing.
    """
    module = cls.__new__(cls)
    fill(module, state)
    return module


def fill(module: Module, state: Mapping[str, Any]) -> None:
    """:func:`restore`, into an instance that exists already but was not initialised: an unpickler makes the object
    before it knows its state, and the state may refer to it."""
    cls = type(module)
    if not all(isinstance(name, str) for name in state):
        raise ValueError(f"the state of {cls.__name__} has keys that are no names of attributes")
    refuse_hooks(cls, state)
    left_out = _ABOUT_HOOKS.union(left_to_torch(cls))
    attributes = {name: value for name, value in state.items() if name not in left_out}
    training = attributes.pop("training", True)
    if not isinstance(training, bool):
        raise ValueError(f"{cls.__name__}: training must be a bool, got {training!r}")
    filled: dict[str, Any] = {"training": training}
    for name, kind in zip(REGISTRIES, (Parameter, Tensor, Module), strict=True):
        filled[name] = _members(cls, name, attributes.pop(name, {}), kind)
    unsaved = attributes.pop("_non_persistent_buffers_set", set())
    if not isinstance(unsaved, set | frozenset) or not unsaved <= set(filled["_buffers"]):
        raise ValueError(f"{cls.__name__}: _non_persistent_buffers_set must name buffers, got {unsaved!r}")
    filled["_non_persistent_buffers_set"] = set(unsaved)
    # In the order in which Module.__init__ makes them.
    fresh = Module()
    vars(module).update({name: filled.get(name, value) for name, value in vars(fresh).items()})
    is_torchs = torch_path(cls) is not None and cls is not Module  # a bare Module may be given any attribute
    if is_torchs:
        check_attributes(cls, attributes)
    vars(module).update(attributes)
    if is_torchs:
        complete(module)
    if cls.__setstate__ is not Module.__setstate__:
        cls.__setstate__(module, dict(vars(module)))


def refuse_hooks(cls: type, state: Mapping[str, Any]) -> None:
    """ValueError where a module of ``cls`` with this ``__dict__`` has hooks of any kind."""
    for name in _HOOK_DICTS:
        if state.get(name):
            raise ValueError(
                f"{cls.__name__} comes with {name}: a hook is a program's own code and cannot be taken along. "
                "Remove it first (handle.remove(); pruning and weight norm have functions of their own for it) and "
                "register it anew on the result"
            )


def _members(cls: type, registry: str, members: Any, kind: type) -> dict[str, Any]:
    if not isinstance(members, dict):
        raise ValueError(f"{cls.__name__}: {registry} must be a dict, got {type(members).__name__}")
    for name, member in members.items():
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{cls.__name__}: {name!r} in {registry} is no name: it must be a string without a dot")
        if member is not None and not isinstance(member, kind):
            raise ValueError(
                f"{cls.__name__}: {name!r} in {registry} must be a {kind.__name__} or None, got {type(member).__name__}"
            )
    return dict(members)


def torch_state(module: Module) -> dict[str, Any]:
    """The ``__dict__`` of the same module in torch 2.13, with all it needs there and in torch's order, the values ours.

    Raises: ValueError if the module has hooks.
    """
    refuse_hooks(type(module), vars(module))
    state = {name: value for name, value in vars(module).items() if name != "_hooked"}
    ordered: dict[str, Any] = {}
    for name in vars(Module()):
        ordered[name] = state.pop(name)
        if name == "_backward_hooks":
            ordered["_is_full_backward_hook"] = None
    return ordered | state | made_for_torch(module)
