"""torch.utils._pytree: functions over what is nested in lists, tuples, named tuples, dicts and classes that
register_pytree_node was told of. Anything else is a leaf, of torch's containers a deque and a defaultdict, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..func import tree as _tree

__all__ = [
    "MappingKey",
    "PyTree",
    "TreeSpec",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_leaves",
    "tree_map",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any


class TreeSpec(NamedTuple):
    """The shape of a tree."""

    shape: Any

    @property
    def num_leaves(self) -> int:
        return _tree.count(self.shape)

    @property
    def type(self) -> Any:
        return None if self.is_leaf() else self.shape.kind

    def is_leaf(self) -> bool:
        return self.shape is _tree.LEAF

    def unflatten(self, leaves) -> PyTree:
        return tree_unflatten(leaves, self)

    def __repr__(self) -> str:
        return f"TreeSpec({_tree.describe(self.shape)})"


class MappingKey(NamedTuple):
    """A key of a dict, in the path to a leaf."""

    key: Any


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list, Any]],
    unflatten_fn: Callable[[list, Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable | None = None,
    from_dumpable_context: Callable | None = None,
    flatten_with_keys_fn: Callable | None = None,
) -> None:
    """Makes instances of `cls` containers here and in torch.func: flatten_fn(x) = (what it holds, a context that is
    equal for equal shapes), unflatten_fn(values, context). The rest is for files and paths of trees, which are not
    written here. ValueError where the class is registered already."""
    _tree.register(cls, flatten_fn, unflatten_fn)


def _dict_flatten_with_keys(d: dict) -> tuple[list, Any]:  # packages hand it to register_pytree_node
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def tree_flatten(tree: PyTree) -> tuple[list, TreeSpec]:
    """(what the tree holds, from left to right; its shape)."""
    leaves, shape = _tree.flatten(tree)
    return leaves, TreeSpec(shape)


def tree_unflatten(leaves, treespec: TreeSpec) -> PyTree:
    """The tree of this shape that holds these leaves. ValueError where there are more or fewer."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but got item of type "
            f"{type(treespec)}."
        )
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
            f"holds {treespec.num_leaves} items ({treespec})."
        )
    return _tree.unflatten(leaves, treespec.shape)


def tree_leaves(tree: PyTree) -> list:
    """What the tree holds, from left to right."""
    return _tree.flatten(tree)[0]


def tree_structure(tree: PyTree) -> TreeSpec:
    """The shape of the tree."""
    return tree_flatten(tree)[1]


def tree_map(func: Callable, tree: PyTree, *rests: PyTree) -> PyTree:
    """The tree with func(leaf, what stands there in each of the rests) in each leaf's place. ValueError where one of
    the rests is of another shape."""
    leaves, spec = tree_flatten(tree)
    others = []
    for rest in rests:
        held = _tree.spread(rest, spec.shape)
        if held is None or tree_structure(rest) != spec:
            raise ValueError(f"tree_map(): expected trees of one shape, {spec} and {tree_structure(rest)}")
        others.append(held)
    return tree_unflatten(map(func, leaves, *others), spec)


def tree_map_only(type_or_types_or_pred: Any, func: Callable, tree: PyTree) -> PyTree:
    """tree_map of the leaves that are of this type (or one of several), or that a function says yes to."""
    kinds = type_or_types_or_pred
    chosen = (lambda x: isinstance(x, kinds)) if isinstance(kinds, type | tuple) else kinds
    return _tree.map_leaves(lambda x: func(x) if chosen(x) else x, tree)


def tree_all(pred: Callable[[Any], bool], tree: PyTree) -> bool:
    """Whether pred holds of every leaf."""
    return all(map(pred, tree_leaves(tree)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree) -> bool:
    """Whether pred holds of any leaf."""
    return any(map(pred, tree_leaves(tree)))
