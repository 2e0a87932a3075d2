"""Names of torch for what this library does not have: a program may import and ask about them, and learns what is
missing when it uses one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from .placing import place


def absent_function(name: str, why: str) -> Any:
    """A function whose every call raises NotImplementedError."""

    def function(*_args: Any, **_kwargs: Any):
        raise NotImplementedError(f"minitorch2: torch.{name} is not supported: {why}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"NotImplementedError: {why}."
    return function


def absent_class(name: str, why: str) -> Any:
    """A class that nothing is an instance of; NotImplementedError for who makes one."""
    refuse = absent_function(name, why)
    subscript = classmethod(lambda cls, _: cls)  # annotations take the types of what it holds
    return type(refuse.__name__, (), {"__new__": refuse, "__class_getitem__": subscript, "__doc__": refuse.__doc__})


def absent(where: str, why: str, functions: Iterable[str] = (), classes: Iterable[str] = ()) -> dict[str, Any]:
    """For the globals of the module torch.<where>."""
    found = {name: absent_function(f"{where}.{name}", why) for name in functions}
    return found | {name: absent_class(f"{where}.{name}", why) for name in classes}


def absent_names(where: str, why: str) -> Callable[[str], Any]:
    """The __getattr__ of the module torch.<where>, whose other names are each an `absent_class`."""

    @functools.cache
    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"minitorch2.{where} has no '{name}'")
        return absent_class(f"{where}.{name}", why)

    return __getattr__


def as_absent(*paths: str) -> None:
    """Makes modules at these of torch's paths, where the parent is already there, that have only such names."""
    for path in paths:
        place(path, {"__getattr__": absent_names(path, "minitorch2 has no such part of PyTorch")})
