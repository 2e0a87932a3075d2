"""Trees: tensors (or anything else) in lists, tuples, named tuples, dicts and containers that were registered, nested,
taken apart and put together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

LEAF: Any = None  # the shape of what is no container
registered: dict[type, tuple[Callable, Callable]] = {}


class Branch(NamedTuple):
    """The shape of one container: its type, for a dict its keys, for a registered one its context, and the shapes of
    what it holds."""

    kind: type
    keys: Any
    children: tuple


def register(kind: type, flatten: Callable[[Any], tuple], unflatten: Callable[[list, Any], Any]) -> None:
    """Makes instances of `kind` containers: flatten(x) = (what it holds, a context to compare by), and
    unflatten(values, context). ValueError where it is one already."""
    if kind in registered or kind in (dict, OrderedDict, list, tuple):
        raise ValueError(f"{kind} is already registered as pytree node.")
    registered[kind] = flatten, unflatten


def flatten(tree) -> tuple[list, Any]:
    """(what the tree holds, from left to right; its shape, for :func:`unflatten`)."""
    leaves: list = []
    return leaves, _take_apart(tree, leaves)


def _take_apart(tree, leaves: list):
    keys, held = contents(tree)
    if held is None:
        leaves.append(tree)
        return LEAF
    return Branch(type(tree), keys, tuple(_take_apart(each, leaves) for each in held))


def contents(tree) -> tuple[Any, list | None]:
    """(keys, values) of a dict, (context, values) of what is registered, (None, elements) of a list or tuple,
    (None, None) of anything else."""
    if type(tree) in registered:
        held, context = registered[type(tree)][0](tree)
        return context, list(held)
    if type(tree) in (dict, OrderedDict):
        return tuple(tree), list(tree.values())
    if type(tree) in (list, tuple) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return None, list(tree)
    return None, None


def unflatten(leaves, shape: Any):
    """The tree of this shape that holds these leaves."""
    return _put_together(iter(leaves), shape)


def _put_together(leaves: Iterator, shape):
    if shape is LEAF:
        return next(leaves)
    held = [_put_together(leaves, child) for child in shape.children]
    if shape.kind in registered:
        return registered[shape.kind][1](held, shape.keys)
    if shape.keys is not None:
        return shape.kind(zip(shape.keys, held, strict=True))
    return shape.kind(*held) if hasattr(shape.kind, "_fields") else shape.kind(held)


def map_leaves(function: Callable, tree) -> Any:
    """The same tree with function(leaf) in each leaf's place."""
    leaves, shape = flatten(tree)
    return unflatten(map(function, leaves), shape)


def count(shape: Any) -> int:
    """How many leaves a tree of this shape has."""
    return 1 if shape is LEAF else sum(map(count, shape.children))


def spread(prefix, shape: Any) -> list | None:
    """One value for each leaf: `prefix` is a tree that may end where the tree of this shape goes on, and its leaf then
    stands for all that grows there. None if the two do not fit."""
    keys, held = contents(prefix)
    if held is None:
        return [prefix] * count(shape)
    if shape is LEAF or (type(prefix), keys, len(held)) != (shape.kind, shape.keys, len(shape.children)):
        return None
    parts = [spread(each, child) for each, child in zip(held, shape.children, strict=True)]
    if any(part is None for part in parts):
        return None
    return [value for part in parts for value in part or ()]


def describe(shape: Any) -> str:
    """A shape as messages show it, * for a leaf: (*, {'w': *})."""
    if shape is LEAF:
        return "*"
    held = [describe(child) for child in shape.children]
    if shape.kind in registered:
        return f"{shape.kind.__name__}({shape.keys!r}, [{', '.join(held)}])"
    if shape.keys is not None:
        return "{" + ", ".join(f"{key!r}: {each}" for key, each in zip(shape.keys, held, strict=True)) + "}"
    text = ", ".join(held)
    if shape.kind is list:
        return f"[{text}]"
    name = "" if shape.kind is tuple else shape.kind.__name__
    return f"{name}({text},)" if len(held) == 1 else f"{name}({text})"
