"""Names of torch for what this library does not have: a program may import and ask about them, and learns what is
missing when it uses one."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .placing import place


def absent_function(name: str, why: str) -> Any:
    """A function whose every call raises NotImplementedError."""

    def function(*_args: Any, **_kwargs: Any):
        raise NotImplementedError(f"minitorch2: torch.{name} is not supported: {why}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"NotImplementedError: {why}."
    return function


def absent_class(name: str, why: str, base: type = object) -> Any:
    """A class that nothing is an instance of; NotImplementedError for who makes one."""

    def new(cls: type, *_args: Any, **_kwargs: Any):
        raise NotImplementedError(f"minitorch2: torch.{name} is not supported: {why}")

    return type(name.rpartition(".")[2], (base,), {"__new__": new, "__doc__": f"NotImplementedError: {why}."})


def absent(where: str, why: str, functions: Iterable[str] = (), classes: Iterable[str] = ()) -> dict[str, Any]:
    """For the globals of the module torch.<where>."""
    found = {name: absent_function(f"{where}.{name}", why) for name in functions}
    return found | {name: absent_class(f"{where}.{name}", why) for name in classes}


class AbsentModule(ModuleType):
    """A module of torch's that is not here: what is imported from it is an `absent_class`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{self.__name__} has no '{name}'")
        where = self.__name__.partition(".")[2]
        found = absent_class(f"{where}.{name}", "minitorch2 has no such part of PyTorch")
        setattr(self, name, found)
        return found


def as_absent(*paths: str) -> None:
    """Makes `import torch.<path>` give such a module, where the parent is already there."""
    for path in paths:
        place(path, of=AbsentModule)
