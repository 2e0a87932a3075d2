"""torch.jit, as far as a program runs without it: decorators that leave functions as they are. TorchScript itself, its
files and its tracing are not supported and say so.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from .compiler import as_it_is

_UNSUPPORTED = (
    "load",
    "save",
    "trace",
    "trace_module",
    "freeze",
    "optimize_for_inference",
    "ScriptModule",
    "ScriptFunction",
)


def script(obj: Any = None, *_, **__) -> Any:
    """The function or module itself, with a warning: there is no TorchScript here."""
    if obj is None:
        return script
    warnings.warn("minitorch2: torch.jit.script compiles nothing here; the program runs as it is written", stacklevel=2)
    return obj


ignore = unused = export = script_if_tracing = interface = as_it_is


def is_scripting() -> bool:
    """False: there is no TorchScript here."""
    return False


is_tracing = is_scripting


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value: types are for TorchScript."""
    return the_value


def __getattr__(name: str):
    if name in _UNSUPPORTED:
        raise NotImplementedError(
            f"minitorch2: torch.jit.{name} is not supported, there is no TorchScript here; save and load state dicts "
            "with torch.save and torch.load"
        )
    raise AttributeError(f"minitorch2.jit has no '{name}'")


__all__ = [
    "Final",
    "annotate",
    "export",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "script",
    "script_if_tracing",
    "unused",
]
