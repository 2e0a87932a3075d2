"""Which layer of PyTorch each of ours is, and what a layer's state may hold.

Our layers keep the attributes of torch's under the same names, so that a module moves between the two by its
``__dict__``: a pickle of a whole module, and the bridge to live torch modules, both come here to learn the class
that a path names, to make a module from the ``__dict__`` torch gave it, and to get the ``__dict__`` torch expects.
Nothing here imports torch. A state may come from a file of anybody's: it is checked, not trusted.
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...tensor import Tensor
from ..parameter import Parameter
from .module import _HOOK_DICTS, Module
from .parameter_container import ParameterDict, ParameterList

__all__ = ["fill", "layer_classes", "refuse_hooks", "restore", "torch_path", "torch_state"]

# Where torch keeps a layer in another file than we do: by our file, or by the class.
_TORCH_FILES = {"margin_loss": "loss", "parameter_container": "container", "rnn_cells": "rnn"}
_TORCH_FILES |= {"PixelShuffle": "pixelshuffle", "PixelUnshuffle": "pixelshuffle"}

# A layer's attributes are the arguments of its constructor under the same names, but for these arguments, which become
# parameters, buffers or submodules, or are spent in making them ...
_NOT_STORED = frozenset(
    ("args", "bias", "device", "dtype", "kwargs", "modules", "parameters", "pos_weight", "reduce", "self")
) | frozenset(("size_average", "values", "weight", "_freeze", "_weight"))
_NOT_STORED_BY = {
    "Hardtanh": ("min_value", "max_value"),
    "PairwiseDistance": ("p",),
    "RNNCellBase": ("num_chunks",),
}
# ... and plus these, which the constructor works out.
_STORED_BESIDES = {
    "_ConvNd": ("transposed", "_reversed_padding_repeated_twice"),
    "PairwiseDistance": ("norm",),
    "ParameterDict": ("_keys",),
    "ParameterList": ("_size",),
    "RNN": ("nonlinearity",),
    "RNNBase": ("bias", "_flat_weights_names", "_all_weights"),
    "RNNCellBase": ("bias",),
    "TripletMarginWithDistanceLoss": ("distance_function",),  # or a submodule of that name
    "Upsample": ("name",),
}
# What only torch keeps, besides the parameters themselves: made of them when torch gets a state, else left out.
_TORCH_CACHES = {"RNNBase": ("_flat_weights",)}
_LEFT_OUT = {"RNNBase": ("_flat_weights", "_flat_weight_refs")}
# What a state of an older torch lacks and no argument's default supplies.
_WORKED_OUT: dict[str, Callable[[Any], Any]] = {
    "_flat_weights_names": lambda module: [name for names in module._all_weights for name in names],
    "_keys": lambda module: dict.fromkeys(module._parameters),
    "_reversed_padding_repeated_twice": lambda module: module._pad_argument(),
    "_size": lambda module: len(module._parameters),
}
_SUPPORTED = {
    "approximate": ("none", "tanh"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "reduction": ("none", "mean", "sum", "batchmean"),
    "sparse": (False,),
}
_FUNCTIONS = frozenset(("activation", "distance_function"))  # attributes that may be a function
_ABOUT_HOOKS = frozenset((*_HOOK_DICTS, "_is_full_backward_hook", "_hooked"))
_REGISTRIES = ("_parameters", "_buffers", "_modules")
_MISSING = object()


@functools.cache
def layer_classes() -> Mapping[str, type[Module]]:
    """Our class for each layer of torch we have, by the path under which pickles name it:
    ``"torch.nn.modules.linear.Linear"``."""
    from .. import modules

    public = (getattr(modules, name) for name in modules.__all__)
    return {_path(cls): cls for cls in public if isinstance(cls, type) and issubclass(cls, Module)}


@functools.cache
def _paths() -> Mapping[type[Module], str]:
    return {cls: path for path, cls in layer_classes().items()}


def torch_path(cls: type) -> str | None:
    """The path of torch's class that ``cls`` is; None for a class that is no layer of torch's (a subclass, too)."""
    return _paths().get(cls)


def _path(cls: type[Module]) -> str:
    file = cls.__module__.rpartition(".")[2]
    file = _TORCH_FILES.get(cls.__name__) or _TORCH_FILES.get(file, file)
    return f"torch.nn.modules.{file}.{cls.__name__}"


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
    refuse_hooks(cls, state)
    left_out = _ABOUT_HOOKS.union(_named_for(cls, _LEFT_OUT))
    attributes = {name: value for name, value in state.items() if name not in left_out}
    training = attributes.pop("training", True)
    if not isinstance(training, bool):
        raise ValueError(f"{cls.__name__}: training must be a bool, got {training!r}")
    filled: dict[str, Any] = {"training": training}
    for name, kind in zip(_REGISTRIES, (Parameter, Tensor, Module), strict=True):
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
        _check_attributes(cls, attributes)
    vars(module).update(attributes)
    if is_torchs:
        _complete(module)
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


def _check_attributes(cls: type, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if name in _attributes(cls):
            _check_value(cls, name, value)
        elif not _is_entry(cls, name, attributes):
            raise ValueError(
                f"{cls.__name__} has no attribute {name!r} here: a program added it to the layer, or a later PyTorch "
                f"did. If nothing depends on it, `del layer.{name}` in PyTorch first"
            )


def _complete(module: Module) -> None:
    """Gives a layer what its state lacked; ValueError where nobody can know what it was."""
    cls, attributes = type(module), vars(module)
    members = {name for registry in _REGISTRIES for name in attributes[registry]}
    known = _attributes(cls)
    late = []
    for name, default in known.items():
        if name in attributes or name in members:
            continue
        if name in _WORKED_OUT:
            late.append(name)
        elif default is _MISSING:
            raise ValueError(f"the state of {cls.__name__} lacks {name!r}")
        else:
            attributes[name] = default
    for name in late:  # from the others
        attributes[name] = _WORKED_OUT[name](module)
    for name in _annotated(cls):
        if not hasattr(module, name):
            raise ValueError(f"the state of {cls.__name__} lacks {name!r}")
    if cls in (ParameterList, ParameterDict):
        _check_entries(module, members | (set(attributes) - set(known) - set(vars(Module()))))


def _check_entries(module: Module, entries: set[str]) -> None:
    """A ParameterList or ParameterDict must have the very entries it says it has."""
    if isinstance(module, ParameterDict):
        names = set(module._keys)
    else:
        names = {str(i) for i in range(len(entries))} if vars(module)["_size"] == len(entries) else set()
    if entries != names:
        raise ValueError(f"the state of {type(module).__name__} has other entries than it says: {sorted(entries)}")


def _layers_of(cls: type) -> Iterator[type]:
    """The classes `cls` is made of, the nearest first, without what every module has."""
    return (base for base in cls.__mro__ if issubclass(base, Module) and base is not Module)


@functools.cache
def _attributes(cls: type) -> Mapping[str, Any]:
    """The attributes a layer has besides those of every module, and what each is by default."""
    known: dict[str, Any] = {}
    for base in _layers_of(cls):
        if "__init__" in vars(base):
            for name, argument in inspect.signature(vars(base)["__init__"]).parameters.items():
                empty = argument.default is inspect.Parameter.empty
                known.setdefault(name, _MISSING if empty else argument.default)
    besides = _named_for(cls, _STORED_BESIDES)
    left_out = _NOT_STORED.union(_named_for(cls, _NOT_STORED_BY)).difference(besides)
    known |= dict.fromkeys(besides, _MISSING)
    return {name: default for name, default in known.items() if name not in left_out}


def _named_for(cls: type, table: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What a table by class says of `cls` and the layers it is made of."""
    return [name for base in _layers_of(cls) for name in table.get(base.__name__, ())]


@functools.cache
def _annotated(cls: type) -> tuple[str, ...]:
    """The names that the class says its instances have: weight, bias, running_mean ..."""
    names = [name for base in _layers_of(cls) for name in inspect.get_annotations(base)]
    return tuple(name for name in names if name not in _REGISTRIES)


def _is_entry(cls: type, name: str, attributes: Mapping[str, Any]) -> bool:
    """Whether `name` is an entry of a ParameterList or ParameterDict that is no parameter: these may hold anything."""
    if cls is ParameterList:
        return name.isdecimal()
    return cls is ParameterDict and name in attributes.get("_keys", ()) and not hasattr(cls, name)


def _check_value(cls: type, name: str, value: Any) -> None:
    if name in _SUPPORTED:
        fits = any(value is option or value == option for option in _SUPPORTED[name])
        ways_out = f"; supported is {' or '.join(map(repr, _SUPPORTED[name]))}"
    elif name == "_keys":
        fits, ways_out = isinstance(value, dict) and all(isinstance(key, str) for key in value), ": no dict of names"
    else:
        fits = is_plain(value) or (name in _FUNCTIONS and callable(value))
        ways_out = f", a {type(value).__name__}: it must be made of numbers, strings and tuples"
    if not fits:
        raise ValueError(f"{cls.__name__} with {name}={value!r} is not supported{ways_out}")


def is_plain(value: Any) -> bool:
    """Whether `value` is a number, a string, None, or a list or tuple of these."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, numbers.Number | str)


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
    caches = {name: getattr(module, name) for name in _named_for(type(module), _TORCH_CACHES)}
    return ordered | state | caches
