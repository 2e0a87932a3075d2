"""The attributes of each layer, the same here and in torch: which there are, which values, what they are by default.

A layer keeps its constructor's arguments under their names, so the constructor's signature says nearly all; the tables
here are the exceptions. (Parameters, buffers, submodules and hooks, which every module has: _torch_names.)
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .linear_cross_entropy_options import LinearCrossEntropyOptions
from .module import Module
from .parameter_container import ParameterDict, ParameterList

__all__ = ["check_attributes", "complete", "left_to_torch", "made_for_torch"]

REGISTRIES = ("_parameters", "_buffers", "_modules")

# Arguments that are not kept: they become parameters, buffers or submodules, or are spent in making them.
_NOT_STORED = frozenset(
    ("args", "bias", "device", "dtype", "kwargs", "modules", "parameters", "pos_weight", "reduce", "self")
) | frozenset(("size_average", "values", "weight", "_freeze", "_random_samples", "_weight"))
_LAYER_SIZES = ("dim_feedforward", "dropout", "layer_norm_eps")
_NOT_STORED_BY = {
    "Hardtanh": ("min_value", "max_value"),
    "LinearCrossEntropyLoss": ("in_features",),
    "MultiheadAttention": ("add_bias_kv",),
    "PairwiseDistance": ("p",),
    "RNNCellBase": ("num_chunks",),
    "Transformer": (
        *_LAYER_SIZES,
        "activation",
        "norm_first",
        "num_encoder_layers",
        "num_decoder_layers",
        "custom_encoder",
        "custom_decoder",
    ),
    "TransformerDecoder": ("decoder_layer",),
    "TransformerEncoder": ("encoder_layer",),
    "_Layer": (*_LAYER_SIZES, "attentions", "batch_first", "d_model", "nhead"),  # of a Transformer
}
# Attributes that are no arguments; some are a parameter or submodule in one layer and None in another.
_ATTENTION_MEMBERS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias")
_ATTENTION_MEMBERS += ("bias_k", "bias_v", "out_proj")
_STORED_BESIDES = {
    "AdaptiveLogSoftmaxWithLoss": ("shortlist_size", "n_clusters", "head_size"),
    "_ConvNd": ("transposed", "_reversed_padding_repeated_twice"),
    "MultiheadAttention": ("head_dim", "_qkv_same_embed_dim", *_ATTENTION_MEMBERS),
    "PairwiseDistance": ("norm",),
    "ParameterDict": ("_keys",),
    "ParameterList": ("_size",),
    "RNN": ("nonlinearity",),
    "RNNBase": ("bias", "_flat_weights_names", "_all_weights"),
    "RNNCellBase": ("bias",),
    "TransformerDecoder": ("layers",),
    "TransformerEncoder": ("layers", "use_nested_tensor"),
    "TransformerEncoderLayer": ("activation_relu_or_gelu",),
    "TripletMarginWithDistanceLoss": ("distance_function",),
    "Upsample": ("name",),
}
# What only torch keeps, besides the parameters themselves: made of them when torch gets a state, else left out.
_MADE_FOR_TORCH = {"RNNBase": ("_flat_weights",)}
_LEFT_TO_TORCH = {"RNNBase": ("_flat_weights", "_flat_weight_refs")}
# What a state of an older torch lacks and no argument's default supplies.
_WORKED_OUT: dict[str, Callable[[Any], Any]] = {
    "_qkv_same_embed_dim": lambda module: module.in_proj_weight is not None,
    "_flat_weights_names": lambda module: [name for names in module._all_weights for name in names],
    "_keys": lambda module: dict.fromkeys(module._parameters),
    "_reversed_padding_repeated_twice": lambda module: module._pad_argument(),
    "_size": lambda module: len(module._parameters),
    "activation_relu_or_gelu": lambda module: 0,
    "use_nested_tensor": lambda module: False,
}
_SUPPORTED = {
    "approximate": ("none", "tanh"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "reduction": ("none", "mean", "sum", "batchmean"),
    "sparse": (False,),
}
_FUNCTIONS = frozenset(("activation", "distance_function"))  # attributes that may be a function
_MISSING = object()


def check_attributes(cls: type, attributes: Mapping[str, Any]) -> None:
    """ValueError for an attribute that the layer does not have, or a value that is not supported."""
    for name, value in attributes.items():
        if name in _attributes(cls):
            _check_value(cls, name, value)
        elif not _is_entry(cls, name, attributes):
            raise ValueError(
                f"{cls.__name__} has no attribute {name!r} here: a program added it to the layer, or a later PyTorch "
                f"did. If nothing depends on it, `del layer.{name}` in PyTorch first"
            )


def complete(module: Module) -> None:
    """Gives a layer what its state lacked; ValueError where nobody can know what it was."""
    cls, attributes = type(module), vars(module)
    members = {name for registry in REGISTRIES for name in attributes[registry]}
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


def left_to_torch(cls: type) -> list[str]:
    """Attributes that only torch keeps, beside the parameters they are made of."""
    return _named_for(cls, _LEFT_TO_TORCH)


def made_for_torch(module: Module) -> dict[str, Any]:
    """Those of them that torch does not make itself when it gets a state."""
    return {name: getattr(module, name) for name in _named_for(type(module), _MADE_FOR_TORCH)}


def _layers_of(cls: type) -> Iterator[type]:
    """Our classes that `cls` is made of, the nearest first, without what every module has."""
    return (
        base
        for base in cls.__mro__
        if base.__module__.startswith(f"{__package__}.") and issubclass(base, Module) and base is not Module
    )


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
    return tuple(name for name in names if name not in REGISTRIES)


def _is_entry(cls: type, name: str, attributes: Mapping[str, Any]) -> bool:
    """Whether `name` is an entry of a ParameterList or ParameterDict that is no parameter: these may hold anything."""
    if cls is ParameterList:
        return name.isdecimal()
    return cls is ParameterDict and name in attributes.get("_keys", ()) and not hasattr(cls, name)


def _check_value(cls: type, name: str, value: Any) -> None:
    if name in _SUPPORTED:
        fits = _is_plain(value) and value in _SUPPORTED[name]
        ways_out = f"; supported is {' or '.join(map(repr, _SUPPORTED[name]))}"
    elif name == "_keys":
        fits, ways_out = isinstance(value, dict) and all(isinstance(key, str) for key in value), ": no dict of names"
    elif name == "options":
        fits, ways_out = value is None or isinstance(value, LinearCrossEntropyOptions), ": no LinearCrossEntropyOptions"
    else:
        fits = _is_plain(value) or (name in _FUNCTIONS and callable(value))
        ways_out = f", a {type(value).__name__}: it must be made of numbers, strings and tuples"
    if not fits:
        raise ValueError(f"{cls.__name__} with {name}={value!r} is not supported{ways_out}")


def _is_plain(value: Any) -> bool:
    """Whether `value` is a number, a string, None, or a list or tuple of these."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, numbers.Number | str)
