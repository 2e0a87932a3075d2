"""torch.utils._pytree: functions over what is nested in lists, tuples, named tuples, dicts and classes that
register_pytree_node was told of. Anything else is a leaf, of torch's containers a deque and a defaultdict, too.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..func import tree as _tree

__all__ = [
    "SUPPORTED_NODES",
    "LeafSpec",
    "MappingKey",
    "NodeDef",
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


class TreeSpec:
    """The shape of a tree: TreeSpec(type, context, shapes of what it holds) that of a container, with the context that
    its flatten_fn in SUPPORTED_NODES gives; LeafSpec() that of a leaf."""

    def __init__(self, type: Any, context: Any, children_specs: Iterable[TreeSpec]) -> None:
        children = tuple(child.shape for child in children_specs)
        kind, keys = (context, None) if type is namedtuple else (type, context)
        if kind in (dict, OrderedDict):
            keys = tuple(context)
        self.shape: Any = _tree.Branch(kind, keys, children)

    @classmethod
    def _of(cls, shape: Any) -> TreeSpec:
        spec = cls.__new__(cls)
        spec.shape = shape
        return spec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and self.shape == other.shape

    def __hash__(self) -> int:
        return hash(self.shape)

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


def LeafSpec() -> TreeSpec:
    """The shape of a leaf."""
    return TreeSpec._of(_tree.LEAF)


class NodeDef(NamedTuple):
    """How a container is taken apart, flatten_fn(x) = (what it holds, context), and put together."""

    type: Any
    flatten_fn: Callable[[Any], tuple[list, Any]]
    unflatten_fn: Callable[[list, Any], Any]


class _SupportedNodes(Mapping):
    """NodeDef of every kind of container, by what `_get_node_type` gives."""

    _kinds = (list, tuple, dict, OrderedDict, namedtuple)

    def __getitem__(self, kind: Any) -> NodeDef:
        if kind not in self._kinds and kind not in _tree.registered:
            raise KeyError(kind)
        return NodeDef(kind, _taken_apart, lambda held, context: _put_together(kind, held, context))

    def __iter__(self) -> Iterator:
        return iter((*self._kinds, *_tree.registered))

    def __len__(self) -> int:
        return len(self._kinds) + len(_tree.registered)


SUPPORTED_NODES = _SupportedNodes()


def _get_node_type(tree: Any) -> Any:
    return namedtuple if isinstance(tree, tuple) and hasattr(tree, "_fields") else type(tree)


def _taken_apart(x: Any) -> tuple[list, Any]:
    context, held = _tree.contents(x)
    return held or [], type(x) if _get_node_type(x) is namedtuple else context


def _put_together(kind: Any, held: list, context: Any) -> Any:
    return tree_unflatten(held, TreeSpec(kind, context, [LeafSpec()] * len(held)))


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


# Packages hand these to register_pytree_node.
def _dict_flatten(d: dict) -> tuple[list, Any]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict:
    return dict(zip(context, values, strict=True))


def _dict_flatten_with_keys(d: dict) -> tuple[list, Any]:
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def tree_flatten(tree: PyTree) -> tuple[list, TreeSpec]:
    """(what the tree holds, from left to right; its shape)."""
    leaves, shape = _tree.flatten(tree)
    return leaves, TreeSpec._of(shape)


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
