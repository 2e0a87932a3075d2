"""Whole modules in a checkpoint: a class's name and the module's ``__dict__``, as torch.save writes them.

A class of the user's is found only if it is registered (safe_globals.py); our own layers answer to the names of
torch's. No code runs to make one: `nn.modules._torch_names.fill` checks the state and puts it into an instance
whose ``__init__`` was not called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..nn import functional as F
from ..nn.modules._torch_names import layer_classes, torch_path
from ..nn.modules.module import Module

# Functions that layers keep as attributes (nn.TransformerEncoderLayer's activation), as pickles spell them.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch.nn.functional.relu": F.relu,
    "torch._C._nn.gelu": F.gelu,
}


@functools.cache
def functions() -> dict[str, Callable[..., Any]]:
    """{path in files: function} of what a module may keep as an attribute: FUNCTIONS, and the others of nn.functional
    under torch's path."""
    others = {name: f for name, f in vars(F).items() if getattr(f, "__module__", None) == F.__name__}
    found = {f"torch.nn.functional.{name}": f for name, f in others.items() if f not in FUNCTIONS.values()}
    return found | FUNCTIONS


def layers() -> list[type[Module] | tuple[Callable[..., Any], str]]:
    """Every layer there is, for `add_safe_globals` and `safe_globals`: a file that holds a whole module made of
    them, and of your own classes named beside them, then loads.

    >>> with safe_globals([*layers(), Net]):
    ...     model = load("whole_model.pt")
    """
    return [*layer_classes().values(), *((function, path) for path, function in FUNCTIONS.items())]


def path_of(cls: Any) -> str:
    """The "module.name" of a class or function in files: torch's for a layer or a function of layers that both have."""
    if isinstance(cls, type):
        path = torch_path(cls)
    else:
        path = next((path for path, function in functions().items() if function is cls), None)
    return path or f"{cls.__module__}.{cls.__qualname__}"
