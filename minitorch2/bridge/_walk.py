"""One conversion of a whole structure: the parts that are the same in both directions."""

from __future__ import annotations

import functools
import types
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from ..nn.modules._torch_names import refuse_hooks

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_CODE = (*_FUNCTIONS, type, functools.partial)
_CONTAINERS = (list, tuple, dict, set, frozenset)


class Walk(ABC):
    """Converts an object and what it holds; an object met again gives what it gave the first time.

    A subclass knows the two sides: what a tensor, a module and a class of the one is on the other.
    """

    name: str  # of the public function, for error messages
    giver: str  # the top-level package the objects come from

    def __init__(self, copy: bool, classes: Mapping[type, type] | None):
        self.copy = bool(copy)
        self.classes = dict(classes or {})
        self._seen: dict[int, tuple[Any, Any]] = {}  # the original as well: while it lives, nothing else has its id
        self._path: list[str] = []
        for given, wanted in self.classes.items():
            if not isinstance(given, type) or not isinstance(wanted, type):
                self.refuse(TypeError, f"classes must map classes to classes, got {{{given!r}: {wanted!r}}}")

    @abstractmethod
    def special(self, x: Any) -> Any:
        """The counterpart of a tensor, dtype, device ...; NotImplemented for anything else."""

    @abstractmethod
    def is_module(self, x: Any) -> bool: ...

    @abstractmethod
    def module(self, x: Any) -> Any:
        """The counterpart of a module."""

    @abstractmethod
    def class_for(self, cls: type) -> type | None:
        """The counterpart of a class; None where there is none."""

    @abstractmethod
    def namespaces(self) -> Iterator[tuple[Any, Any]]:
        """The modules in which to look for a function, with those in which its counterpart has the same name."""

    def start(self, x: Any) -> Any:
        """The counterpart of the whole."""
        if not self.is_giver(x) and not isinstance(x, _CONTAINERS):
            self.refuse(TypeError, f"expected something of {self.giver}'s or containers of it, got {kind_of(x)}")
        return self.convert(x)

    def convert(self, x: Any) -> Any:
        if x is None or isinstance(x, bool | int | float | complex | str | bytes):
            return x
        if id(x) in self._seen:
            return self._seen[id(x)][1]
        converted = self.special(x)
        if converted is NotImplemented:
            converted = self.module(x) if self.is_module(x) else self._container(x)
        if converted is NotImplemented:
            converted = self._code(x) if isinstance(x, _CODE) else self._object(x)
        return self.remember(x, converted)

    def remember(self, x: Any, converted: Any) -> Any:
        self._seen[id(x)] = (x, converted)
        return converted

    def convert_at(self, place: str, x: Any) -> Any:
        with self.at(place):
            return self.convert(x)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        self._path.append(place)
        yield
        self._path.pop()

    def _container(self, x: Any) -> Any:
        kind = type(x)
        if kind in (dict, OrderedDict, Counter):
            return self._fill(kind(), x)
        if kind is defaultdict:
            return self._fill(defaultdict(self.convert_at(".default_factory", x.default_factory)), x)
        if kind is list:
            converted = self.remember(x, [])  # before its items, which may refer to it
            converted.extend(self._items(x))
            return converted
        if kind in (tuple, set, frozenset):
            return kind(self._items(x))
        if isinstance(x, tuple) and hasattr(kind, "_fields"):
            return kind._make(self._items(x))  # a namedtuple
        return NotImplemented

    def _items(self, items: Any) -> list[Any]:
        return [self.convert_at(f"[{i}]", item) for i, item in enumerate(items)]

    def _fill(self, target: dict, source: dict) -> dict:
        self.remember(source, target)
        for key, value in source.items():
            target[self.convert(key)] = self.convert_at(f"[{key!r}]", value)
        for name, value in getattr(source, "__dict__", {}).items():  # an OrderedDict's: state_dict()._metadata
            setattr(target, name, self.convert_at(f".{name}", value))
        return target

    def _code(self, x: Any) -> Any:
        """A function or class: the one of the same name, where it is the giver's."""
        if isinstance(x, functools.partial):
            function = self.convert_at(".func", x.func)
            return functools.partial(function, *self.convert(x.args), **self.convert(x.keywords))
        if isinstance(x, type):
            found = self.class_for(x)
            if found is not None or not self.is_giver(x):
                return found or x
        for source, target in self.namespaces():
            name = getattr(x, "__name__", "")
            if getattr(source, name, None) is x and hasattr(target, name):
                return getattr(target, name)
        self.refuse(
            TypeError,
            f"{kind_of(x)} is code without a counterpart, and would compute with {self.giver}'s tensors. Set the "
            "attribute to None for the conversion, and to a counterpart after it",
        )

    def _object(self, x: Any) -> Any:
        """Anything else is taken as it is, unless it holds what would have to be converted."""
        if any(map(self.is_giver, _reachable(x))):
            self.refuse(
                TypeError,
                f"{kind_of(x)} has no counterpart. Supported are modules, tensors, and dicts, lists and tuples of "
                "them; of an optimizer or another object with a state, convert its state_dict()",
            )
        return x

    def is_giver(self, x: Any) -> bool:
        """Whether `x`, or a class of it, was defined by the package the objects come from."""
        if isinstance(x, types.ModuleType):
            names: list[Any] = [x.__name__]
        elif isinstance(x, _FUNCTIONS):
            names = [getattr(x, "__module__", None)]
        else:
            names = [base.__module__ for base in (x if isinstance(x, type) else type(x)).__mro__]
        return any(str(name).partition(".")[0] == self.giver for name in names)

    def check_hooks(self, module: Any) -> None:
        try:
            refuse_hooks(type(module), vars(module))
        except ValueError as error:
            self.refuse(ValueError, str(error))

    def state(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """The ``__dict__`` of a module, converted."""
        state: dict[str, Any] = {}
        for name, value in attributes.items():
            if name in ("_parameters", "_buffers", "_modules"):
                state[name] = {key: self.convert_at(f".{key}", member) for key, member in value.items()}
            else:
                state[name] = self.convert_at(f".{name}", value)
        return state

    def refuse(self, error: type[Exception], why: str) -> NoReturn:
        """Raises `error`, saying where in the whole."""
        place = "".join(self._path).lstrip(".")
        raise error(f"minitorch2.bridge.{self.name}: " + (f"{place}: " if place else "") + why)


def _reachable(x: Any) -> Iterator[Any]:
    """`x` and what it holds: items, attributes, theirs, and so on; but not what code and Python modules refer to."""
    seen: set[int] = set()
    pending = [x]
    while pending:
        x = pending.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        yield x
        if isinstance(x, (*_FUNCTIONS, type, types.ModuleType)):
            continue
        pending += vars(x).values() if hasattr(x, "__dict__") else ()
        if isinstance(x, Mapping):
            pending += [part for pair in x.items() for part in pair]
        elif isinstance(x, _CONTAINERS):
            pending += x
        for base in type(x).__mro__:
            slots: Iterable[str] = vars(base).get("__slots__") or ()
            pending += [getattr(x, name, None) for name in slots]


def kind_of(x: Any) -> str:
    """The full name of a class or function, or else of the object's class."""
    named = x if isinstance(x, (*_FUNCTIONS, type)) else type(x)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"
