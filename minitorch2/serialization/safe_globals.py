"""The classes and functions a user trusts a checkpoint to name (torch.serialization.add_safe_globals).

Nothing is ever looked up in a module by a name from a file: a file's name can only select one of the
objects registered here. Source: torch's notes page "Serialization semantics".
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any

from .modules import path_of

SafeGlobal = Callable[..., Any] | tuple[Callable[..., Any], str]

# What stays refused even when registered: with these a file could run anything it likes.
_BLOCKED_MODULES = frozenset({"os", "posix", "nt", "sys", "subprocess", "shutil", "importlib", "pickle", "_pickle"})
_BLOCKED_BUILTINS = frozenset(
    {"eval", "exec", "compile", "__import__", "open", "getattr", "setattr", "delattr", "input", "breakpoint"}
)

_registered: dict[SafeGlobal, None] = {}  # a dict keeps the order of registration


def add_safe_globals(safe_globals: Iterable[SafeGlobal]) -> None:
    """Lets `load` build the given classes and call the given functions, and `save` write instances of them.

    Each entry is a class or function, or a pair (it, "module.name" as files spell it); a layer of ours goes
    by the name of torch's. Register only what is harmless with ANY arguments: the file chooses them.

    Raises: ValueError for something through which a file could run arbitrary code (os, sys, eval, ...);
    TypeError / ValueError for a malformed entry.
    """
    entries = list(safe_globals)
    for entry in entries:
        _check(*_split(entry))
    _registered.update(dict.fromkeys(entries))


def get_safe_globals() -> list[SafeGlobal]:
    """The registered entries, in the order of registration."""
    return list(_registered)


def clear_safe_globals() -> None:
    """Forgets every registered entry."""
    _registered.clear()


class safe_globals:
    """Context manager: the given entries are registered inside the block only."""

    def __init__(self, safe_globals: Iterable[SafeGlobal]):
        self.safe_globals = list(safe_globals)

    def __enter__(self) -> None:
        self._added = [entry for entry in self.safe_globals if entry not in _registered]
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception: object) -> None:
        for entry in self._added:
            _registered.pop(entry, None)


def registered_by_path() -> dict[str, Callable[..., Any]]:
    """{"module.qualified.name": object}, as files name them."""
    return {path: what for what, path in map(_split, _registered)}


def _split(entry: SafeGlobal) -> tuple[Callable[..., Any], str]:
    if not isinstance(entry, tuple):
        if not callable(entry):
            raise TypeError(f"add_safe_globals expects classes and functions, got {entry!r}")
        return entry, path_of(entry)
    if len(entry) != 2:
        raise ValueError(f"add_safe_globals expects pairs (object, 'module.name'), got a tuple of length {len(entry)}")
    what, path = entry
    if type(path) is not str or not callable(what):
        raise TypeError(f"add_safe_globals expects pairs (object, 'module.name'), got ({what!r}, {path!r})")
    return what, path


def _check(what: Callable[..., Any], path: str) -> None:
    modules = {path.partition(".")[0], str(getattr(what, "__module__", "")).partition(".")[0]}
    blocked_builtin = any(what is getattr(builtins, name) for name in _BLOCKED_BUILTINS)
    if blocked_builtin or modules & _BLOCKED_MODULES:
        raise ValueError(
            f"{path} cannot be made a safe global: a file could use it to run arbitrary code; register the "
            "data class you need instead"
        )
