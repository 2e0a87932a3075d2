"""torch.jit, as far as a program runs without it: decorators that leave functions as they are. TorchScript itself, its
files and its tracing are not supported and say so.
"""

from __future__ import annotations

import typing
import warnings
from typing import Any, Final

from .compiler import as_it_is
from .core.absent import absent
from .core.placing import place

_WHY = "there is no TorchScript here; save and load state dicts with torch.save and torch.load"
globals().update(
    absent(
        "jit",
        _WHY,
        ("load", "save", "trace", "trace_module", "freeze", "optimize_for_inference", "fork", "wait"),
        ("ScriptModule", "ScriptFunction", "TopLevelTracedModule", "TracedModule", "RecursiveScriptModule"),
    )
)


class TracerWarning(Warning):
    """What PyTorch warns of while it traces: packages filter it."""


def script(obj: Any = None, *_, **__) -> Any:
    """The function or module itself, with a warning: there is no TorchScript here."""
    if obj is None:
        return script
    warnings.warn("minitorch2: torch.jit.script compiles nothing here; the program runs as it is written", stacklevel=2)
    return obj


ignore = unused = export = interface = script_if_tracing = as_it_is
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
