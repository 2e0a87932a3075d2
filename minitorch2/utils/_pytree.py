"""torch.utils._pytree: functions over trees, which is what is nested in lists, tuples, named tuples, dicts, deques and
classes that register_pytree_node was told of; anything else is a leaf.

Where a function takes `is_leaf`, what is_leaf(part of the tree) is true for is a leaf too, whatever it holds.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import _pytree_nodes, _treespec
from ._pytree_nodes import (
    CONSTANT_NODES,
    SUPPORTED_NODES,
    GetAttrKey,
    _get_node_type,
    _private_register_pytree_node,
    is_namedtuple_class,
    register_pytree_node,
)
from ._treespec import (
    _LEAF_SPEC,
    ConstantNode,
    LeafSpec,
    PyTreeSpec,
    TreeSpec,
    treespec_dumps,
    treespec_loads,
    treespec_pprint,
)

__all__ = [
    "Context",
    "DumpableContext",
    "FlattenFn",
    "FromDumpableContextFn",
    "LeafSpec",
    "PyTree",
    "PyTreeSpec",
    "ToDumpableContextFn",
    "TreeSpec",
    "UnflattenFn",
    "is_namedtuple",
    "is_namedtuple_class",
    "is_namedtuple_instance",
    "is_structseq",
    "is_structseq_class",
    "is_structseq_instance",
    "key_get",
    "keystr",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
    "treespec_dumps",
    "treespec_loads",
    "treespec_pprint",
]

PyTree = Context = DumpableContext = Any
FlattenFn = Callable[[PyTree], tuple[list[Any], Context]]
UnflattenFn = Callable[[Iterable[Any], Context], PyTree]
ToDumpableContextFn = Callable[[Context], DumpableContext]
FromDumpableContextFn = Callable[[DumpableContext], Context]
KeyEntry = Any
KeyPath = tuple[KeyEntry, ...]
FlattenWithKeysFn = Callable[[PyTree], tuple[list[tuple[KeyEntry, Any]], Any]]
IsLeaf = Callable[[PyTree], bool] | None

# and what packages take from here that has its place in the parts
for _part in (_pytree_nodes, _treespec):
    for _name, _value in vars(_part).items():
        if getattr(_value, "__module__", None) == _part.__name__ or _name.isupper():
            globals().setdefault(_name, _value)


def is_namedtuple(obj: Any) -> bool:
    """Whether it is a class that namedtuple made, or an instance of one."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether its class is one that namedtuple made."""
    return is_namedtuple_class(type(obj))


def is_structseq_class(cls: Any) -> bool:
    """Whether it is one of the tuples with names that Python's own modules make, as time.struct_time is."""
    counts = ("n_fields", "n_sequence_fields", "n_unnamed_fields")
    return (
        isinstance(cls, type)
        and cls.__bases__ == (tuple,)
        and all(isinstance(getattr(cls, name, None), int) for name in counts)
        and not cls.__flags__ & 1 << 10  # Py_TPFLAGS_BASETYPE: it may have subclasses
    )


def is_structseq(obj: Any) -> bool:
    """Whether it is such a class or an instance of one."""
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_instance(obj: Any) -> bool:
    """Whether its class is such a class."""
    return is_structseq_class(type(obj))


def register_dataclass(
    cls: type,
    *,
    field_names: list[str] | None = None,
    drop_field_names: list[str] | None = None,
    serialized_type_name: str | None = None,
) -> None:
    """Makes instances of a dataclass containers of the fields that are not None; those to be dropped are then left
    out. A class that is none needs field_names. ValueError where the names are not those of the class's fields."""
    names = field_names
    if dataclasses.is_dataclass(cls):
        own = {field.name: None for field in dataclasses.fields(cls) if field.init}
        if names is None:
            names = list(own)
        elif unlike := (own.keys() - set(drop_field_names or ())) ^ set(names):
            raise ValueError(f"field_names does not include all dataclass fields, or names others: {unlike}")
    elif names is None:
        raise ValueError(
            f"field_names must be specified with a list of all fields used to initialize {cls}, as it is not a "
            "dataclass."
        )

    def flatten(obj: Any) -> tuple[list, Any]:
        there = [name for name in names if getattr(obj, name) is not None]
        return [getattr(obj, name) for name in there], [there, [name for name in names if name not in there]]

    def unflatten(values: Iterable, context: Any) -> Any:
        there, missing = context
        return cls(**dict(zip(there, values, strict=True)), **dict.fromkeys(missing))

    def flatten_with_keys(obj: Any) -> tuple[list[tuple], Any]:
        values, (there, _) = flatten(obj)
        return [(GetAttrKey(name), value) for name, value in zip(there, values, strict=True)], there

    _private_register_pytree_node(
        cls, flatten, unflatten, serialized_type_name=serialized_type_name, flatten_with_keys_fn=flatten_with_keys
    )


def register_constant(cls: type) -> None:
    """Makes instances of `cls` containers of nothing, each with itself as context. TypeError for a class that does not
    define how its instances are compared and hashed."""
    for name, missing in (("__eq__", object.__eq__), ("__hash__", None)):
        if getattr(cls, name) is missing:
            raise TypeError(f"register_constant(cls) expects `cls` to have a non-default `{name}` implementation.")

    def flatten(x: Any) -> tuple[list, Any]:
        return [], ConstantNode(x)

    def unflatten(values: Iterable, context: ConstantNode) -> Any:
        return context.value

    _private_register_pytree_node(cls, flatten, unflatten, flatten_with_keys_fn=flatten)
    CONSTANT_NODES.add(cls)


def is_constant_class(cls: Any) -> bool:
    """Whether register_constant was told of it."""
    return isinstance(cls, type) and cls in CONSTANT_NODES


def tree_is_leaf(tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether it is a leaf."""
    return bool(is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def tree_flatten(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """(what the tree holds, from left to right; its shape)."""
    leaves: list[Any] = []

    def take_apart(part: PyTree) -> TreeSpec:
        if tree_is_leaf(part, is_leaf):
            leaves.append(part)
            return _LEAF_SPEC
        kind = _get_node_type(part)
        held, context = SUPPORTED_NODES[kind].flatten_fn(part)
        return TreeSpec(kind, context, [take_apart(each) for each in held])

    return leaves, take_apart(tree)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """The tree of this shape that holds these leaves. ValueError where there are more or fewer."""
    if not isinstance(treespec, TreeSpec):
        if not isinstance(leaves, TreeSpec):
            raise TypeError(
                f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}."
            )
        leaves, treespec = treespec, leaves  # in either order
    return treespec.unflatten(leaves)


def tree_iter(tree: PyTree, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """What the tree holds, from left to right, one after the other."""
    if tree_is_leaf(tree, is_leaf):
        yield tree
    else:
        for part in SUPPORTED_NODES[_get_node_type(tree)].flatten_fn(tree)[0]:
            yield from tree_iter(part, is_leaf)


def tree_leaves(tree: PyTree, is_leaf: IsLeaf = None) -> list[Any]:
    """What the tree holds, from left to right."""
    return list(tree_iter(tree, is_leaf))


def arg_tree_leaves(*args: PyTree, **kwargs: PyTree) -> list[Any]:
    """What the arguments hold."""
    return tree_leaves((args, kwargs))


def tree_structure(tree: PyTree, is_leaf: IsLeaf = None) -> TreeSpec:
    """The shape of the tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable, tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """The tree with func(leaf, what stands there in each of the rests) in each leaf's place. The rests may go on where
    the tree ends. ValueError where one of them does not fit."""
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *(spec.flatten_up_to(rest) for rest in rests)))


def tree_map_(func: Callable, tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """The tree itself, after func(leaf, what stands there in each of the rests) for each leaf."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for arguments in zip(leaves, *(spec.flatten_up_to(rest) for rest in rests), strict=True):
        func(*arguments)
    return tree


def map_only(type_or_types_or_pred: Any, /) -> Callable[[Callable], Callable]:
    """Decorates a function of what is of this type (or one of several), or what a function says yes to: of anything
    else it then gives the thing itself. TypeError for what is neither."""
    chosen = type_or_types_or_pred
    if isinstance(chosen, type | tuple | types.UnionType):
        pred = functools.partial(_is_of, kinds=chosen)
    elif callable(chosen):
        pred = chosen
    else:
        raise TypeError("Argument must be a type, a tuple of types, or a callable.")
    return lambda func: functools.wraps(func)(lambda x: func(x) if pred(x) else x)


def _is_of(x: Any, kinds: Any) -> bool:
    return isinstance(x, kinds)


def tree_map_only(type_or_types_or_pred: Any, /, func: Callable, tree: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """tree_map of the leaves that `map_only` chooses."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, /, func: Callable, tree: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """tree_map_ of the leaves that `map_only` chooses."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether pred holds of every leaf."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether pred holds of any leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether pred holds of every leaf of this type (or one of several)."""
    return all(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether pred holds of any leaf of this type (or one of several)."""
    return any(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def _broadcast_to_and_flatten(tree: PyTree, treespec: TreeSpec, is_leaf: IsLeaf = None) -> list[Any] | None:
    """One value for each leaf: `tree` may end where one of this shape goes on, and its leaf then stands for all that
    grows there. None if the two do not fit."""
    values, spec = tree_flatten(tree, is_leaf)
    try:
        parts = spec.flatten_up_to(treespec.unflatten([0] * treespec.num_leaves))
    except ValueError:
        return None
    counts = [tree_structure(part, is_leaf).num_leaves for part in parts]
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]


def tree_leaves_with_path(tree: PyTree, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """Pairs of the path to a leaf, a tuple of keys, and the leaf. ValueError for a container that was registered
    without a flatten_with_keys_fn."""
    return list(_with_paths((), tree, is_leaf))


def _with_paths(path: KeyPath, tree: PyTree, is_leaf: IsLeaf) -> Iterator[tuple[KeyPath, Any]]:
    if tree_is_leaf(tree, is_leaf):
        yield path, tree
        return
    kind = _get_node_type(tree)
    flatten_with_keys = SUPPORTED_NODES[kind].flatten_with_keys_fn
    if flatten_with_keys is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {kind}. Please pass a flatten_with_keys_fn argument to "
            "register_pytree_node."
        )
    for key, part in flatten_with_keys(tree)[0]:
        yield from _with_paths((*path, key), part, is_leaf)


def tree_flatten_with_path(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """(tree_leaves_with_path of it, its shape)."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable, tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """tree_map with func(path to the leaf, leaf, what stands there in each of the rests)."""
    found, spec = tree_flatten_with_path(tree, is_leaf)
    paths, leaves = [path for path, _ in found], [leaf for _, leaf in found]
    return spec.unflatten(map(func, paths, leaves, *(spec.flatten_up_to(rest) for rest in rests)))


def keystr(kp: KeyPath) -> str:
    """The path as one writes it: ['a'][0].x"""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: KeyPath) -> Any:
    """What stands at the end of this path from obj."""
    for key in kp:
        obj = key.get(obj)
    return obj
