"""Through the nest of a checkpoint: a row for each tensor, a line for the rest.

The nest comes from a file nobody need trust: it may contain itself, be a million levels deep, or name things with
megabytes of text. Containers are entered once, names are cut, and what is listed is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.dtypes import from_numpy_dtype
from ..serialization.foreign import Foreign, ForeignCall, spell
from ..serialization.plain import own_attributes
from ..tensor import Tensor
from .stats import Stats, stats_of

_MAX_DEPTH = 300
_MAX_LINES = 500_000
_MAX_NAME = 500  # characters
_LINE = 100  # characters of a value
_CONTAINERS = (dict, list, tuple, set, frozenset)
_MODULE = ("_parameters", "_buffers", "_modules")


@dataclass
class Row:
    """One tensor. `storage` is equal for tensors that share memory, and None for those that have none."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    storage: Any
    storage_bytes: int
    shares_with: str | None = None
    stats: Stats | None = None
    file: str | None = None  # of a sharded checkpoint


@dataclass
class Listing:
    """`rows`: tensors; `others`: (name, what stands there); `cut`: whether there were too many to list.

    with_stats: work out the stats of each tensor, which reads it.
    """

    with_stats: bool = False
    rows: list[Row] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    cut: bool = False
    _first: dict[Any, str] = field(default_factory=dict)  # by storage

    def add(self, row: Row, load: Callable[[], np.ndarray] | None) -> None:
        """Appends a row; `load` gives its array, None where its dtype does not exist here."""
        first = self._first.setdefault(row.storage, row.name) if row.storage is not None else row.name
        row.shares_with = None if first == row.name else first
        if self.with_stats and load is not None:
            row.stats = stats_of(load())
        self.rows.append(row)


def walk(root: Any, listing: Listing) -> None:
    """Fills `listing` with what is in `root`, in its order. Names are the keys and places, joined by dots."""
    entered: dict[int, str] = {}
    pending: list[tuple[str, int, Any]] = [("", 0, root)]
    while pending:
        name, depth, item = pending.pop()
        if len(listing.rows) + len(listing.others) >= _MAX_LINES:
            listing.cut = True
            return
        if isinstance(item, Tensor):
            _add_tensor(listing, name, item._data)
            attributes = own_attributes(item)
            if attributes:
                listing.others.append((f"{name} (attributes)", spell(attributes, _LINE)))
            continue
        children = list(_children(item)) if not _is_line(item) else []
        if not children:
            listing.others.append((name, describe(item)))
        elif depth >= _MAX_DEPTH:
            listing.others.append((name, f"nested deeper than {_MAX_DEPTH} levels; not shown"))
        elif id(item) in entered:
            listing.others.append((name, f"the same object as {entered[id(item)] or 'the whole'}"))
        else:
            entered[id(item)] = name
            if isinstance(item, ForeignCall):
                listing.others.append((name, describe(item)))
            if type(item) is OrderedDict:  # a state_dict has the versions of its modules in _metadata
                attributes = ((joined(name, f"(attribute {key})"), value) for key, value in vars(item).items())
                listing.others += [(place, _counted(spell(value, 50), value)) for place, value in attributes]
            pending += [(joined(name, key), depth + 1, child) for key, child in reversed(children)]


def _add_tensor(listing: Listing, name: str, array: np.ndarray) -> None:
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    low, high = np.lib.array_utils.byte_bounds(owner) if owner.size else (0, 0)
    dtype = from_numpy_dtype(array.dtype).name
    row = Row(name, dtype, array.shape, array.nbytes, (low, high) if owner.size else None, high - low)
    listing.add(row, lambda: array)


def describe(item: Any) -> str:
    """One line about what is no tensor and has nothing below it."""
    if isinstance(item, Foreign):
        return f"the name {spell(item)}"
    if isinstance(item, ForeignCall):
        if is_module(item):
            values = {k: v for k, v in item.state.items() if type(k) is str and k[:1] != "_" and k != "training"}
            return f"{item.path}({', '.join(f'{k}={spell(v, 40)}' for k, v in list(values.items())[:12])})"
        if not _is_unsupported(item):
            return spell(item, _LINE)
        if "_rebuild_tensor" in item.path and len(item.arguments) > 2:
            storage = item.arguments[0]
            parts = (*item.arguments, *(storage.arguments if isinstance(storage, ForeignCall) else ()))
            kind = next((spell(part) for part in parts if isinstance(part, Foreign)), "another kind")
            return f"a tensor of {kind}, {spell(item.arguments[2])} (not supported here)"
        return f"{spell(item, _LINE)} (not supported here)"
    if isinstance(item, np.ndarray):
        return f"NumPy array, {item.dtype}, {item.shape}"
    return _counted(spell(item, _LINE), item)


def _counted(text: str, item: Any) -> str:
    return f"{text} ({len(item):,} in all)" if isinstance(item, _CONTAINERS) and "..." in text else text


def _is_unsupported(call: ForeignCall) -> bool:
    """Whether this is one of our table's builders, given what it cannot take: a tensor of a kind there is not."""
    return bool(call.callee.reason) if isinstance(call.callee, Foreign) else not isinstance(call.callee, ForeignCall)


def is_module(item: Any) -> bool:
    """Whether this is a pickled nn.Module: an object whose state has a module's registries."""
    return isinstance(item, ForeignCall) and type(item.state) is dict and all(k in item.state for k in _MODULE)


def _is_line(item: Any) -> bool:
    """Whether `item` fits a line: it is no container, or one of nothing but small values."""
    if isinstance(item, ForeignCall):
        return False
    if not isinstance(item, dict | list | tuple):
        return True
    return all(_is_small(value) for value in (item.values() if isinstance(item, dict) else item))


def _is_small(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return len(value) <= 8 and all(not isinstance(v, (*_CONTAINERS, Tensor, Foreign, ForeignCall)) for v in value)
    return not isinstance(value, (*_CONTAINERS, Tensor, ForeignCall))


def _children(item: Any) -> Iterable[tuple[Any, Any]]:
    """(key, child) of a container, in order; a module's registries stand for themselves."""
    if is_module(item):
        for registry in _MODULE:
            if isinstance(item.state[registry], dict):
                yield from ((key, child) for key, child in item.state[registry].items() if child is not None)
        rest = {k: v for k, v in item.state.items() if isinstance(v, Tensor | ForeignCall)}
        yield from rest.items()
    elif isinstance(item, ForeignCall):
        if _is_unsupported(item):
            return  # its parts say nothing
        yield from ((i, argument) for i, argument in enumerate(item.arguments) if _matters(argument))
        if item.state is not None:
            yield from item.state.items() if type(item.state) is dict else [("state", item.state)]
        yield from enumerate(item.items)
        yield from item.pairs
    elif isinstance(item, dict):
        yield from item.items()
    else:
        yield from enumerate(item)


def _matters(argument: Any) -> bool:
    return isinstance(argument, (Tensor, ForeignCall)) or (isinstance(argument, _CONTAINERS) and len(argument) > 0)


def joined(name: str, key: Any) -> str:
    """The name of what stands at `key` in the container `name`; cut where it is very long."""
    part = key if type(key) is str else spell(key, 60)
    whole = f"{name}.{part[:_MAX_NAME]}" if name else part[:_MAX_NAME]
    return whole if len(whole) <= _MAX_NAME else whole[: _MAX_NAME - 3] + "..."
