"""The shape of a tree, torch.utils._pytree's TreeSpec, and its text: a JSON file that PyTorch reads and writes too."""

from __future__ import annotations

import importlib
import json
import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import _pytree_nodes as nodes
from ._pytree_nodes import SUPPORTED_NODES, _get_node_type

DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class ConstantNode:
    """The context of what register_constant made a container of nothing: the object itself."""

    value: Any


class TreeSpec:
    """The shape of a tree: TreeSpec(type, context, shapes of what it holds) that of a container, with the context that
    its flatten_fn in SUPPORTED_NODES gives; LeafSpec() that of a leaf."""

    __slots__ = ("_children", "_context", "num_children", "num_leaves", "num_nodes", "type")

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type, self._context, self._children = type, context, children_specs
        self.num_children = len(children_specs)
        self.num_leaves = sum(child.num_leaves for child in children_specs)
        self.num_nodes = 1 + sum(child.num_nodes for child in children_specs)

    @property
    def context(self) -> Any:
        return self._context

    def is_leaf(self) -> bool:
        return self.type is None

    def children(self) -> list[TreeSpec]:
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        return self._children[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return self is other or (
            self.type is other.type and self._context == other._context and self._children == other._children
        )

    def __hash__(self) -> int:
        return hash((self.type, self._to_hash(), tuple(self._children)))

    def _to_hash(self) -> Any:
        if self.type is defaultdict:
            factory, keys = self._context
            return factory, tuple(keys)
        if self.type in (dict, OrderedDict):
            return tuple(self._context)
        if self.type is None or self.type in nodes.BUILTIN_TYPES:
            return self._context
        return self._context.value if isinstance(self._context, ConstantNode) else None  # others may not be hashable

    def __repr__(self, indent: int = 0) -> str:
        if self.is_leaf():
            return "*"
        between = ",\n" + " " * (indent + 2)
        held = between.join(child.__repr__(indent + 2) for child in self._children)
        return f"TreeSpec({self.type.__name__}, {self._context}, [{held}])"

    def unflatten(self, leaves: Iterable) -> Any:
        """The tree of this shape that holds these leaves. ValueError where there are more or fewer."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
                f"holds {self.num_leaves} items ({self})."
            )
        following = iter(leaves)

        def put_together(spec: TreeSpec) -> Any:
            if spec.is_leaf():
                return next(following)
            return SUPPORTED_NODES[spec.type].unflatten_fn([*map(put_together, spec._children)], spec._context)

        return put_together(self)

    def flatten_up_to(self, tree: Any) -> list:
        """What stands in this tree where one of this shape has its leaves. ValueError where the two do not fit; kinds
        of dict fit each other, in any order of their keys."""
        parts: list = []

        def take_apart(spec: TreeSpec, node: Any) -> None:
            if spec.is_leaf():
                parts.append(node)
                return
            for part, child in zip(_held(spec, node), spec._children, strict=True):
                take_apart(child, part)

        take_apart(self, tree)
        return parts


def _held(spec: TreeSpec, node: Any) -> list:
    """What a container of spec's kind and context holds, in spec's order."""
    kind, built_in = _get_node_type(node), spec.type in nodes.BUILTIN_TYPES
    are_dicts = spec.type in nodes.STANDARD_DICT_TYPES and kind in nodes.STANDARD_DICT_TYPES
    if not are_dicts and kind is not spec.type:
        raise ValueError(f"{'Node type' if built_in else 'Type'} mismatch; expected {spec.type!r}, but got {kind!r}.")
    held, context = SUPPORTED_NODES[kind].flatten_fn(node)
    if len(held) != spec.num_children:
        raise ValueError(f"Node arity mismatch; expected {spec.num_children}, but got {len(held)}.")
    if are_dicts:
        keys = spec._context[1] if spec.type is defaultdict else spec._context
        message = ""
        if missing := set(keys).difference(node):
            message += f"; missing key(s): {missing}"
        if extra := set(node).difference(keys):
            message += f"; extra key(s): {extra}"
        if message:
            raise ValueError(f"Node keys mismatch{message}.")
        return [node[key] for key in keys]
    if context != spec._context and kind is not deque:  # whose context is how long it may grow
        said = f"; expected {spec._context!r}, but got {context!r}" if built_in else ""
        raise ValueError(f"Node context mismatch for {'' if built_in else 'custom '}node type {spec.type!r}{said}.")
    return held


PyTreeSpec = TreeSpec


class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])
        self.num_leaves = 1


_LEAF_SPEC = LeafSpec()


def treespec_leaf() -> TreeSpec:
    """The shape of a leaf."""
    return _LEAF_SPEC


def treespec_tuple(iterable: Iterable[TreeSpec] = (), /) -> TreeSpec:
    """The shape of a tuple of trees of these shapes."""
    children = list(iterable)
    if not all(isinstance(child, TreeSpec) for child in children):
        raise ValueError(f"Expected a tuple of TreeSpec values, got: {children!r}.")
    return TreeSpec(tuple, None, children)


def treespec_dict(mapping: Mapping | Iterable[tuple] = (), /, **kwargs: TreeSpec) -> TreeSpec:
    """The shape of a dict of trees of these shapes."""
    children = dict(mapping, **kwargs)
    if not all(isinstance(child, TreeSpec) for child in children.values()):
        raise ValueError(f"Expected a dictionary of TreeSpec values, got: {children!r}.")
    return TreeSpec(dict, list(children), list(children.values()))


class _Asterisk:
    def __repr__(self) -> str:
        return "*"


def treespec_pprint(treespec: TreeSpec) -> str:
    """The tree with * for each leaf: (*, {'w': *})."""
    return repr(treespec.unflatten([_Asterisk()] * treespec.num_leaves))


class EnumEncoder(json.JSONEncoder):
    """JSON with members of enumerations in it."""

    def default(self, o: Any) -> Any:
        if isinstance(o, Enum):
            return {"__enum__": True, "fqn": f"{type(o).__module__}:{type(o).__qualname__}", "name": o.name}
        return super().default(o)


def enum_object_hook(obj: dict[str, Any]) -> Any:
    """The member that EnumEncoder wrote; any other dict as it is."""
    if "__enum__" not in obj:
        return obj
    module, _, path = obj["fqn"].partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found[obj["name"]]


def _to_json(spec: TreeSpec) -> dict[str, Any]:
    if spec.is_leaf():
        return {"type": None, "context": None, "children_spec": []}
    if spec.type not in nodes.SUPPORTED_SERIALIZED_TYPES:
        raise NotImplementedError(f"Serializing {spec.type} in pytree is not registered.")
    _, name, to_dumpable, _ = nodes.SUPPORTED_SERIALIZED_TYPES[spec.type]
    if name == nodes.NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(
            f"No registered serialization name for {spec.type} found. Please update your _register_pytree_node call "
            "with a `serialized_type_name` kwarg."
        )
    if to_dumpable is not None:
        context = to_dumpable(spec._context)
    else:
        try:
            context = json.dumps(spec._context, cls=EnumEncoder)
        except TypeError as error:
            raise TypeError(
                "Unable to serialize context. Please make the context json dump-able, or register a custom serializer "
                "using _register_pytree_node."
            ) from error
    return {"type": name, "context": context, "children_spec": [*map(_to_json, spec._children)]}


def _of_json(schema: dict[str, Any]) -> TreeSpec:
    if schema == _to_json(_LEAF_SPEC):
        return _LEAF_SPEC
    name, context = schema["type"], schema["context"]
    if name not in nodes.SERIALIZED_TYPE_TO_PYTHON_TYPE:
        raise NotImplementedError(f"Deserializing {name} in pytree is not registered.")
    kind = nodes.SERIALIZED_TYPE_TO_PYTHON_TYPE[name]
    from_dumpable = nodes.SUPPORTED_SERIALIZED_TYPES[kind].from_dumpable_context
    if from_dumpable is not None:
        context = from_dumpable(context)
    else:
        context = json.loads(context, object_hook=enum_object_hook)
    return TreeSpec(kind, context, [*map(_of_json, schema["children_spec"])])


def _check_protocol(protocol: int) -> None:
    if protocol != DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL:
        raise ValueError(
            f"Unknown protocol {protocol}. Available protocols: {[DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL]}"
        )


def treespec_dumps(treespec: TreeSpec, protocol: int | None = None) -> str:
    """The shape as text. NotImplementedError for a container that was registered without a serialized_type_name,
    TypeError for a context that is no JSON, ValueError for another protocol than 1."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
    protocol = DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL if protocol is None else protocol
    _check_protocol(protocol)
    return json.dumps((protocol, _to_json(treespec)), cls=EnumEncoder)


def treespec_loads(serialized: str) -> TreeSpec:
    """The shape that treespec_dumps wrote. It imports modules that the text names, where a defaultdict has its
    factory from: as in PyTorch, for texts that one trusts."""
    protocol, schema = json.loads(serialized)
    _check_protocol(protocol)
    return _of_json(schema)


def pytree_to_str(treespec: TreeSpec) -> str:
    """treespec_dumps by its older name."""
    message = "`pytree_to_str` is deprecated. Please use `treespec_dumps` instead."
    warnings.warn(message, FutureWarning, stacklevel=2)
    return treespec_dumps(treespec)


def str_to_pytree(json: str) -> TreeSpec:
    """treespec_loads by its older name."""
    message = "`str_to_pytree` is deprecated. Please use `treespec_loads` instead."
    warnings.warn(message, FutureWarning, stacklevel=2)
    return treespec_loads(json)
