"""What a pickle asks for that minitorch2 does not have: put in its place, written down, never imported or called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..tensor import Tensor
from .storages import Storage

# Calling or building these makes plain data and runs nothing that the file chooses.
_DATA = frozenset(
    (
        "argparse.Namespace",
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.object",
        "builtins.range",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "collections.defaultdict",
        "collections.deque",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "pathlib.Path",
        "pathlib.PosixPath",
        "pathlib.PurePosixPath",
        "pathlib.WindowsPath",
        "pathlib._local.PosixPath",
        "pathlib._local.WindowsPath",
        "types.SimpleNamespace",
        "uuid.UUID",
    )
)
_SHORTEST = 12  # characters; less of a value says nothing
_TORCH_LAYER = re.compile(r"torch\.nn\.modules\.\w+\.[A-Z]\w*")


class Foreign:
    """A name in the file. `reason`: why minitorch2 refuses it though it knows it, or None for one it does not know."""

    __slots__ = ("path", "reason")

    def __init__(self, path: str, reason: str | None = None):
        self.path = path
        self.reason = reason

    @property
    def harmless(self) -> bool:
        """Whether calling it makes plain data: a tensor of a kind there is not, a date, a path."""
        return self.reason is not None or self.path in _DATA


class ForeignCall:
    """A call the file asks for, and what it wants done with the result: state to set, items to add.

    how: "call" (a function, or a class with __init__) or "build" (a class without).
    """

    __slots__ = ("arguments", "callee", "how", "items", "keywords", "pairs", "state")

    def __init__(self, how: str, callee: Any, arguments: tuple, keywords: Any = None):
        self.how = how
        self.callee = callee
        self.arguments = arguments
        self.keywords = keywords
        self.state: Any = None
        self.items: list[Any] = []  # of a list or set
        self.pairs: list[tuple[Any, Any]] = []  # of a dict

    @property
    def path(self) -> str:
        """The name that is called; of the result of another call, that call."""
        return spell(self.callee)

    @property
    def harmless(self) -> bool:
        """Whether pickle.load could do it without running code the file chooses. Calls among the arguments have a
        verdict of their own; names among them count, since what is called may call them."""
        given = (*self.arguments, *(self.keywords.values() if isinstance(self.keywords, dict) else ()))
        if any(isinstance(argument, Foreign) and not argument.harmless for argument in given):
            return False
        if isinstance(self.state, tuple) and len(self.state) == 2 and self.state[1]:
            return False  # attributes set one by one, which could be __class__
        if not isinstance(self.callee, Foreign):
            return not isinstance(self.callee, ForeignCall)  # an entry of our own table, given foreign arguments
        return self.callee.harmless or (self.how == "build" and bool(_TORCH_LAYER.fullmatch(self.callee.path)))


def spell(what: Any, limit: int = 200) -> str:
    """`what` about as Python would write it, in some `limit` characters at most."""
    parts: list[str] = []
    _spell(what, parts, [limit], 0)
    return "".join(parts)


def _spell(what: Any, parts: list[str], left: list[int], depth: int) -> None:
    if left[0] <= 0 or depth > 20:
        parts.append("...")
    elif isinstance(what, ForeignCall):
        _spell(what.callee, parts, left, depth + 1)
        _sequence(what.arguments, "()", parts, left, depth)
    elif type(what) in (list, tuple, set, frozenset):
        brackets = {list: "[]", tuple: "()"}.get(type(what), "{}")
        _sequence(what, brackets, parts, left, depth)
        if type(what) is tuple and len(what) == 1:
            parts[-1] = ",)"
    elif isinstance(what, dict):
        _mapping(what, parts, left, depth)
    else:
        text = _word(what, max(left[0], _SHORTEST))
        parts.append(text)
        left[0] -= len(text)


def _sequence(items: Any, brackets: str, parts: list[str], left: list[int], depth: int) -> None:
    parts.append(brackets[0])
    for i, item in enumerate(items):
        if not _goes_on(i, parts, left):
            break
        _spell(item, parts, left, depth + 1)
    parts.append(brackets[1])


def _mapping(mapping: dict, parts: list[str], left: list[int], depth: int) -> None:
    parts.append("{")
    for i, (key, value) in enumerate(mapping.items()):
        if not _goes_on(i, parts, left):
            break
        _spell(key, parts, left, depth + 1)
        parts.append(": ")
        _spell(value, parts, left, depth + 1)
    parts.append("}")


def _goes_on(i: int, parts: list[str], left: list[int]) -> bool:
    """Writes the comma before item `i`; False, with dots, where there is no room for another."""
    parts.append(", " if i else "")
    left[0] -= 2
    if i and left[0] < _SHORTEST:
        parts.append("...")
        left[0] = 0
        return False
    return True


def _word(what: Any, limit: int) -> str:
    if isinstance(what, Foreign):
        return what.path.removeprefix("builtins.")
    if isinstance(what, Tensor):
        return f"<tensor of shape {tuple(what.shape)}, {what.dtype}>"
    if isinstance(what, np.ndarray):
        return f"<NumPy array of shape {what.shape}, {what.dtype}>"
    if isinstance(what, Storage):
        return f"<storage of {what.array.size} elements, {what.dtype}>"
    if type(what) in (str, bytes, bytearray):
        shown = repr(what[:limit])
        return shown if len(what) <= limit else f"{shown[:-1]}...{shown[-1]}"
    if type(what) is int and what.bit_length() > 400:
        return f"<a number of {what.bit_length()} bits>"
    if type(what).__module__.startswith("minitorch2.serialization"):  # an entry of the table, such as a storage type
        return str(getattr(what, "path", type(what).__name__))
    return repr(what)[:limit]
