"""torch.jit, as far as a program runs without it: decorators that leave functions as they are. TorchScript itself, its
files and its tracing are not supported and say so.
"""

from __future__ import annotations

import builtins
import contextlib
import types
import typing
import warnings
from typing import Any, Final, NamedTuple

from .compiler import as_it_is
from .core.absent import absent
from .core.placing import place

_WHY = "there is no TorchScript here; save and load state dicts with torch.save and torch.load"
globals().update(
    absent(
        "jit",
        _WHY,
        (
            "load",
            "save",
            "trace",
            "trace_module",
            "freeze",
            "optimize_for_inference",
            "fork",
            "wait",
            "_get_trace_graph",
        ),
        ("ScriptModule", "ScriptFunction", "TopLevelTracedModule", "TracedModule", "RecursiveScriptModule"),
    )
)


class Error(Exception):
    """What TorchScript raises."""


class Attribute(NamedTuple):
    """A value, and its type for TorchScript."""

    value: Any
    type: Any


class TracerWarning(Warning):
    """What PyTorch warns of while it traces: packages filter it."""


def script(obj: Any = None, *_, **__) -> Any:
    """The function or module itself, with a warning: there is no TorchScript here."""
    if obj is None:
        return script
    warnings.warn("minitorch2: torch.jit.script compiles nothing here; the program runs as it is written", stacklevel=2)
    return obj


ignore = unused = export = interface = script_if_tracing = script_method = as_it_is
_script_if_tracing = _overload = _overload_method = as_it_is  # torchvision uses them
_KINDS = ("Any", "Dict", "List", "Optional", "Tuple", "Union")
place("jit.annotations", {f"BroadcastingList{n}": list for n in (1, 2, 3)})
place("jit.annotations", {kind: getattr(typing, kind) for kind in _KINDS})


def is_scripting() -> bool:
    """False: there is no TorchScript here."""
    return False


is_tracing = is_scripting


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value: types are for TorchScript."""
    return the_value


@contextlib.contextmanager
def optimized_execution(should_optimize: bool):
    """Nothing: TorchScript would optimize in this block, or not."""
    yield


def _is_instance(obj: Any, target_type: Any) -> bool:
    """Whether obj is of this type, and what is in it of the types in brackets: list[int], Dict[str, Tensor], a union, a
    tuple of such. RuntimeError for a container without them."""
    if type(target_type) is tuple:
        return any(_is_instance(obj, each) for each in target_type)
    if target_type in (list, dict, tuple, typing.List, typing.Dict, typing.Tuple, typing.Optional):  # noqa: UP006
        name = str(getattr(target_type, "__name__", target_type))
        example = {"dict": "int, int", "Dict": "int, int"}.get(name, "int")
        raise RuntimeError(
            f"Attempted to use {name} without a contained type. Please add a contained type, e.g. {name}[{example}]"
        )
    kind, inner = typing.get_origin(target_type), typing.get_args(target_type)
    if kind in (typing.Union, types.UnionType):
        return any(_is_instance(obj, each) for each in inner)
    if kind is None:
        return obj is None if target_type in (None, type(None)) else builtins.isinstance(obj, target_type)
    if not builtins.isinstance(obj, kind):
        return False
    if kind is list:
        return all(_is_instance(each, inner[0]) for each in obj)
    if kind is dict:
        return all(_is_instance(key, inner[0]) and _is_instance(value, inner[1]) for key, value in obj.items())
    if kind is tuple:
        return len(obj) == len(inner) and all(map(_is_instance, obj, inner))
    return True


globals()["isinstance"] = _is_instance  # torch's name; above, Python's is asked for as builtins.isinstance

__all__ = [
    "Attribute",
    "Error",
    "Final",
    "annotate",
    "export",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "optimized_execution",
    "script",
    "script_if_tracing",
    "script_method",
    "unused",
]
