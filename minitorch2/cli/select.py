"""Which tensors of a nest are converted, under which names, and what would be lost."""

from __future__ import annotations

import fnmatch
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..serialization.foreign import ForeignCall
from ..serialization.plain import MAX_DEPTH
from ..tensor import Tensor
from .walk import is_module, joined

_NAMED = 10  # names in one message
_MAX_MODULES = 100_000


@dataclass
class Selection:
    """`tensors`: {name: tensor}; `lost`: places in the nest that are left out; `notes`: sentences about the rest."""

    tensors: dict[str, Tensor]
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def select(nest: Any, key: str | None) -> Selection:
    """The dict of tensors at `key` (as `inspect` names it), or the only one there is.

    Raises: ValueError that names the dicts to choose from where there is not just one.
    """
    dicts = dict(_dicts_of_tensors("", nest))
    if key is None and len(dicts) != 1:
        if not dicts:
            raise ValueError(
                "there is no dict of names to tensors in the file; `minitorch2 inspect` shows what there is"
            )
        choices = listed([f"--key {name!r}" for name in dicts])
        raise ValueError(f"there are {len(dicts)} dicts of tensors in the file; choose one with {choices}")
    place = next(iter(dicts)) if key is None else key
    if place not in dicts:
        choices = listed([repr(name) for name in dicts]) or "none"
        raise ValueError(f"there is no dict of tensors at --key {place!r}; there are: {choices}")
    chosen = dicts[place]
    names = [name for name, item in chosen.items() if isinstance(item, Tensor)]
    wrong = [name for name in names if type(name) is not str]
    if wrong:
        raise ValueError(f"the names of tensors must be strings, and {wrong[0]!r:.60} is none")
    lost = [joined(place, name) for name, item in chosen.items() if not isinstance(item, Tensor)]
    if key is None:
        lost += _beside(nest, chosen)
    selection = Selection({name: chosen[name] for name in names}, lost)
    if isinstance(chosen, OrderedDict) and vars(chosen):
        selection.notes.append("the versions of modules that a state_dict has in _metadata were not kept")
    return selection


def rename(tensors: dict[str, Tensor], only: list[str], prefix: str | None) -> Selection:
    """Those whose names match one of the patterns `only` (as a shell's: * ? [ab]), without `prefix` where they have it.

    Raises: ValueError if none matches, none has the prefix, or two would get one name.
    """
    chosen = {name: t for name, t in tensors.items() if not only or any(fnmatch.fnmatchcase(name, p) for p in only)}
    if not chosen:
        raise ValueError(f"no tensor matches --only {' '.join(only)}; there are {listed(list(tensors))}")
    selection = Selection(chosen)
    if prefix:
        kept = [name for name in chosen if not name.startswith(prefix)]
        if len(kept) == len(chosen):
            raise ValueError(f"no tensor's name begins with {prefix!r}; there are {listed(kept)}")
        if kept:
            selection.notes.append(
                f"without the prefix {prefix!r} there were, and were kept as they are: {listed(kept)}"
            )
        selection.tensors = {name.removeprefix(prefix): tensor for name, tensor in chosen.items()}
        if len(selection.tensors) != len(chosen) or "" in selection.tensors:
            raise ValueError(f"without the prefix {prefix!r} two tensors would have one name, or one none")
    return selection


def check_depth(root: Any) -> None:
    """Raises ValueError if what was not built contains itself, or more levels than recursive code can follow."""
    heights: dict[int, int] = {}  # of finished containers; 0 while one is still open
    pending = [(root, False)]
    while pending:
        item, children_done = pending.pop()
        children = _below(item)
        if not children:
            continue
        if children_done:
            heights[id(item)] = height = 1 + max(heights.get(id(child), 0) for child in children)
            if height > MAX_DEPTH:
                raise ValueError(f"the file nests objects deeper than {MAX_DEPTH} levels")
        elif id(item) not in heights:
            heights[id(item)] = 0
            pending.append((item, True))
            pending += [(child, False) for child in children]
        elif heights[id(item)] == 0:
            raise ValueError("the file has a container that contains itself")


def _below(item: Any) -> list[Any]:
    if isinstance(item, ForeignCall):
        return [] if item.state is None else [item.state]
    if isinstance(item, dict):
        return list(item.values())
    return list(item) if isinstance(item, list | tuple) else []


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _dicts_of_tensors(place: str, item: Any) -> Iterator[tuple[str, dict]]:
    # Recursive: load lets nothing pass that is nested deeper than 200 levels, or contains itself.
    if is_module(item):
        yield place, dict(_module_state("", item, [_MAX_MODULES]))
    elif isinstance(item, dict) and any(isinstance(value, Tensor) for value in item.values()):
        yield place, item
    if isinstance(item, dict | list | tuple):
        for key, child in item.items() if isinstance(item, dict) else enumerate(item):
            yield from _dicts_of_tensors(joined(place, key), child)


def _module_state(place: str, module: Any, budget: list[int]) -> Iterator[tuple[str, Any]]:
    """The state_dict of a pickled module that was not built: parameters, persistent buffers, and so on below.

    budget: [modules it may have]: one that is shared counts wherever it occurs, which can be any number of times.
    """
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError(f"the file has a module of more than {_MAX_MODULES} modules")
    left_out = module.state.get("_non_persistent_buffers_set", ())
    for registry in ("_parameters", "_buffers"):
        for name, tensor in _items(module.state[registry]):
            if isinstance(tensor, Tensor) and not (registry == "_buffers" and name in left_out):
                yield joined(place, name), tensor
    for name, child in _items(module.state["_modules"]):
        if is_module(child):
            yield from _module_state(joined(place, name), child, budget)


def _items(registry: Any) -> list[tuple[Any, Any]]:
    return list(registry.items()) if isinstance(registry, dict) else []


def _beside(nest: Any, chosen: dict) -> list[str]:
    """What there is in the nest besides the dict that was chosen, each at the highest place that does not hold it."""
    lost: list[str] = []

    def visit(place: str, item: Any) -> bool:
        """Whether `item` is or holds the chosen dict; notes the parts beside it."""
        if item is chosen:
            return True
        if not isinstance(item, dict | list | tuple):
            return False
        before = len(lost)
        children = [(joined(place, k), c) for k, c in (item.items() if isinstance(item, dict) else enumerate(item))]
        holds = [visit(name, child) for name, child in children]
        if not any(holds):
            del lost[before:]
            return False
        lost.extend(name for (name, _), held in zip(children, holds, strict=True) if not held)
        return True

    visit("", nest)
    return lost
