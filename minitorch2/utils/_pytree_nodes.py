"""The containers that torch.utils._pytree takes apart: how each is flattened and put together, its keys, and its name
in a file. One table holds them, SUPPORTED_NODES, for torch.func too.
"""

from __future__ import annotations

import importlib
import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class SequenceKey(Generic[T]):
    """The way from a sequence to what stands at this place of it."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Sequence[T]) -> T:
        return sequence[self.idx]


@dataclass(frozen=True, slots=True)
class MappingKey(Generic[K, T]):
    """The way from a dict to what stands under this key."""

    key: K

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Mapping[K, T]) -> T:
        return mapping[self.key]


@dataclass(frozen=True, slots=True)
class GetAttrKey:
    """The way from an object to its attribute of this name."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        return getattr(obj, self.name)


class NodeDef(NamedTuple):
    """How a container is taken apart and put together: flatten_fn(x) = (what it holds, a context that is equal for
    equal shapes), unflatten_fn(values, context), and flatten_with_keys_fn(x) = (pairs of key and value, context)."""

    type: Any
    flatten_fn: Callable[[Any], tuple[Any, Any]]
    unflatten_fn: Callable[[Any, Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple], Any]] | None


class _SerializeNodeDef(NamedTuple):
    """A container's name in the text of a TreeSpec, and how its context gets there and back; None: as JSON."""

    typ: Any
    serialized_type_name: str
    to_dumpable_context: Callable[[Any], Any] | None
    from_dumpable_context: Callable[[Any], Any] | None


NO_SERIALIZED_TYPE_NAME_FOUND = "NO_SERIALIZED_TYPE_NAME_FOUND"
SUPPORTED_NODES: dict[Any, NodeDef] = {}
SUPPORTED_SERIALIZED_TYPES: dict[Any, _SerializeNodeDef] = {}
SERIALIZED_TYPE_TO_PYTHON_TYPE: dict[str, Any] = {}
CONSTANT_NODES: set[type] = set()


def register_pytree_node(cls: type, flatten_fn: Callable, unflatten_fn: Callable, **kwargs: Any) -> None:
    """Makes instances of `cls` containers here and in torch.func, by functions as NodeDef describes them.

    flatten_with_keys_fn: for paths to leaves. serialized_type_name, and to_dumpable_context and from_dumpable_context,
    which come together: for treespec_dumps. ValueError where the class is registered already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _private_register_pytree_node(cls, flatten_fn, unflatten_fn, **kwargs)


def _private_register_pytree_node(
    cls: Any,
    flatten_fn: Callable,
    unflatten_fn: Callable,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable | None = None,
    from_dumpable_context: Callable | None = None,
    flatten_with_keys_fn: Callable | None = None,
) -> None:
    """register_pytree_node that warns, and puts the new way in the old one's place."""
    if cls in SUPPORTED_NODES:
        warnings.warn(
            f"{cls} is already registered as pytree node. Overwriting the previous registration.", stacklevel=2
        )
    if (to_dumpable_context is None) != (from_dumpable_context is None):
        raise ValueError(f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
    name = serialized_type_name or NO_SERIALIZED_TYPE_NAME_FOUND
    SUPPORTED_SERIALIZED_TYPES[cls] = _SerializeNodeDef(cls, name, to_dumpable_context, from_dumpable_context)
    SERIALIZED_TYPE_TO_PYTHON_TYPE[name] = cls


def _register_pytree_node(
    cls: Any, flatten_fn: Callable, unflatten_fn: Callable, to_str_fn=None, maybe_from_str_fn=None, **kwargs: Any
) -> None:
    """The older name: it replaces what is registered already. to_str_fn, maybe_from_str_fn: have no effect."""
    message = "`torch.utils._pytree._register_pytree_node` is deprecated. Please use "
    message += "`torch.utils._pytree.register_pytree_node` instead."
    warnings.warn(message, FutureWarning, stacklevel=2)
    _private_register_pytree_node(cls, flatten_fn, unflatten_fn, **kwargs)


def _deregister_pytree_node(cls: Any) -> None:
    """Makes instances of `cls` leaves again. KeyError where they are."""
    del SUPPORTED_NODES[cls]
    SERIALIZED_TYPE_TO_PYTHON_TYPE.pop(SUPPORTED_SERIALIZED_TYPES.pop(cls).serialized_type_name, None)
    CONSTANT_NODES.discard(cls)


def is_namedtuple_class(cls: Any) -> bool:
    """Whether it is a class that namedtuple made, or a subclass of one."""
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and isinstance(fields := getattr(cls, "_fields", None), tuple)
        and all(type(field) is str for field in fields)
        and callable(getattr(cls, "_make", None))
        and callable(getattr(cls, "_asdict", None))
    )


def _get_node_type(tree: Any) -> Any:
    """The key of this container in SUPPORTED_NODES: `namedtuple` for all that namedtuple made, else the type."""
    return namedtuple if isinstance(tree, tuple) and is_namedtuple_class(type(tree)) else type(tree)


def _list_flatten(d: list) -> tuple[list, Any]:
    return d, None


def _list_unflatten(values: Iterable, context: Any) -> list:
    return list(values)


def _tuple_flatten(d: tuple) -> tuple[list, Any]:
    return list(d), None


def _tuple_unflatten(values: Iterable, context: Any) -> tuple:
    return tuple(values)


def _dict_flatten(d: Mapping) -> tuple[list, Any]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable, context: Iterable) -> dict:
    return dict(zip(context, values, strict=True))


def _ordereddict_unflatten(values: Iterable, context: Iterable) -> OrderedDict:
    return OrderedDict(zip(context, values, strict=True))


def _defaultdict_flatten(d: defaultdict) -> tuple[list, Any]:
    return list(d.values()), [d.default_factory, list(d)]


def _defaultdict_unflatten(values: Iterable, context: Any) -> defaultdict:
    factory, keys = context
    return defaultdict(factory, _dict_unflatten(values, keys))


def _deque_flatten(d: deque) -> tuple[list, Any]:
    return list(d), d.maxlen


def _deque_unflatten(values: Iterable, context: Any) -> deque:
    return deque(values, maxlen=context)


def _namedtuple_flatten(d: Any) -> tuple[list, Any]:
    return list(d), type(d)


def _namedtuple_unflatten(values: Iterable, context: Any) -> Any:
    return context(*values)


def _with_keys(flatten: Callable, keys: Callable[[Any], Iterable]) -> Callable[[Any], tuple[list[tuple], Any]]:
    def flatten_with_keys(d: Any) -> tuple[list[tuple], Any]:
        values, context = flatten(d)
        return list(zip(keys(d), values, strict=True)), context

    return flatten_with_keys


def _places(d: Sequence) -> Iterable[SequenceKey]:
    return map(SequenceKey, range(len(d)))


def _keys(d: Mapping) -> Iterable[MappingKey]:
    return map(MappingKey, d)


def _fields(d: Any) -> Iterable[GetAttrKey]:
    return map(GetAttrKey, d._fields)


_list_flatten_with_keys = _with_keys(_list_flatten, _places)
_tuple_flatten_with_keys = _with_keys(_tuple_flatten, _places)
_dict_flatten_with_keys = _with_keys(_dict_flatten, _keys)
_defaultdict_flatten_with_keys = _with_keys(_defaultdict_flatten, _keys)
_deque_flatten_with_keys = _with_keys(_deque_flatten, _places)
_namedtuple_flatten_with_keys = _with_keys(_namedtuple_flatten, _fields)
_ordereddict_flatten, _ordereddict_flatten_with_keys = _dict_flatten, _dict_flatten_with_keys


def _namedtuple_serialize(context: Any) -> str:
    name = getattr(SUPPORTED_SERIALIZED_TYPES.get(context), "serialized_type_name", NO_SERIALIZED_TYPE_NAME_FOUND)
    if name == NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(
            f"Can't serialize TreeSpec of namedtuple class {context} because we didn't register a "
            "serializated_type_name. Please register using `_register_namedtuple`."
        )
    return name


def _namedtuple_deserialize(dumpable_context: str) -> Any:
    if dumpable_context not in SERIALIZED_TYPE_TO_PYTHON_TYPE:
        raise NotImplementedError(
            f"Can't deserialize TreeSpec of namedtuple class {dumpable_context} because we couldn't find a "
            "serializated name."
        )
    return SERIALIZED_TYPE_TO_PYTHON_TYPE[dumpable_context]


def _register_namedtuple(cls: type, *, serialized_type_name: str) -> None:
    """Gives a class that namedtuple made a name in the text of a TreeSpec; it is a container without it."""
    _private_register_pytree_node(
        cls,
        _namedtuple_flatten,
        _namedtuple_unflatten,
        serialized_type_name=serialized_type_name,
        to_dumpable_context=_namedtuple_serialize,
        from_dumpable_context=_namedtuple_deserialize,
        flatten_with_keys_fn=_namedtuple_flatten_with_keys,
    )


_FACTORY_FIELDS = ("default_factory_module", "default_factory_name", "dict_context")


def _defaultdict_serialize(context: Any) -> dict[str, Any]:
    factory, keys = context
    return dict(zip(_FACTORY_FIELDS, (factory.__module__, factory.__qualname__, keys), strict=True))


def _defaultdict_deserialize(dumpable_context: Any) -> list:
    module, name, keys = (dumpable_context[field] for field in _FACTORY_FIELDS)
    return [getattr(importlib.import_module(module), name), keys]


def _register_built_in(kind: Any, name: str, of: str, *dumpable: Callable) -> None:
    flatten, unflatten, with_keys = (
        globals()[f"_{of}_{what}"] for what in ("flatten", "unflatten", "flatten_with_keys")
    )
    to_text, from_text = dumpable or (None, None)
    _private_register_pytree_node(
        kind,
        flatten,
        unflatten,
        serialized_type_name=name,
        to_dumpable_context=to_text,
        from_dumpable_context=from_text,
        flatten_with_keys_fn=with_keys,
    )


_register_built_in(tuple, "builtins.tuple", "tuple")
_register_built_in(list, "builtins.list", "list")
_register_built_in(dict, "builtins.dict", "dict")
_register_built_in(namedtuple, "collections.namedtuple", "namedtuple", _namedtuple_serialize, _namedtuple_deserialize)
_register_built_in(OrderedDict, "collections.OrderedDict", "ordereddict")
_register_built_in(
    defaultdict, "collections.defaultdict", "defaultdict", _defaultdict_serialize, _defaultdict_deserialize
)
_register_built_in(deque, "collections.deque", "deque")

STANDARD_DICT_TYPES = frozenset({dict, OrderedDict, defaultdict})
BUILTIN_TYPES: frozenset[Any] = frozenset(SUPPORTED_NODES)
