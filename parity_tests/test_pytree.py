"""torch.utils._pytree: trees taken apart and put together, paths to leaves, shapes as text, containers of one's own."""

import copy
import dataclasses
import enum
import time
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest
import torch
import torch.utils._pytree
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import outcome

import minitorch2
from minitorch2.utils import _pytree

torch_tree: Any = torch.utils._pytree
ours: Any = _pytree
BOTH = (ours, torch_tree)
Point = namedtuple("Point", "x y")

keys = st.sampled_from(["a", "b", 3, (1, 2)])

trees = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(Point, inner, inner)
        | st.builds(deque, st.lists(inner, max_size=2), st.sampled_from([None, 4]))
        | st.dictionaries(keys, inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(keys, inner, max_size=3).map(lambda d: defaultdict(list, d))
    ),
    max_leaves=8,
)
chosen_leaves = st.sampled_from(
    [None, lambda x: isinstance(x, tuple), lambda x: isinstance(x, dict) and len(x) < 2, lambda x: x == []]
)


def shown(result):
    """Results of either library, with what has a class of its own there as text."""
    if isinstance(result, tuple | list) and not hasattr(result, "_fields"):
        return [shown(each) for each in result]
    return (type(result), repr(result)) if type(result).__module__ in ("builtins", "collections") else repr(result)


def same(action):
    mine, torchs = (shown(outcome(action, lib)) for lib in BOTH)
    assert mine == torchs


@given(trees, chosen_leaves)
def test_taken_apart(tree, is_leaf):
    same(lambda t: t.tree_flatten(tree, is_leaf=is_leaf))
    same(lambda t: list(t.tree_iter(tree, is_leaf=is_leaf)))
    same(lambda t: t.tree_leaves(tree, is_leaf))
    same(lambda t: t.tree_is_leaf(tree, is_leaf))
    same(lambda t: [t.keystr(path) for path, _ in t.tree_leaves_with_path(tree, is_leaf)])
    same(lambda t: [t.key_get(tree, path) for path, _ in t.tree_flatten_with_path(tree, is_leaf)[0]])
    same(lambda t: t.tree_flatten_with_path(tree, is_leaf)[1])
    same(lambda t: t.tree_any(lambda x: x == 1, tree, is_leaf) or t.tree_all(lambda x: x == 1, tree, is_leaf))
    same(lambda t: t.tree_any_only(int, lambda x: x == 1, tree) or t.tree_all_only(int, lambda x: x == 1, tree))
    leaves, spec = ours.tree_flatten(tree, is_leaf)
    assert ours.tree_unflatten(leaves, spec) == ours.tree_unflatten(spec, leaves) == tree
    for lib in BOTH:
        spec = lib.tree_structure(tree)
        assert spec == copy.deepcopy(spec) and hash(spec) == hash(lib.tree_structure(copy.deepcopy(tree)))
    counts = [(s.num_leaves, s.num_nodes, s.num_children, s.is_leaf()) for s in (t.tree_structure(tree) for t in BOTH)]
    assert counts[0] == counts[1]


@given(trees, chosen_leaves)
def test_mapped(tree, is_leaf):
    same(lambda t: t.tree_map(lambda x: [x], tree, is_leaf=is_leaf))
    same(lambda t: t.tree_map(lambda x, y: (x, y), tree, tree, is_leaf=is_leaf))
    same(lambda t: t.tree_map_only((int, str), lambda x: [x], tree, is_leaf=is_leaf))
    same(lambda t: t.tree_map_only(lambda x: x is None, lambda x: [x], tree, is_leaf=is_leaf))
    same(lambda t: t.tree_map_only(int | str, lambda x: [x], tree))
    if ours.tree_leaves(tree, is_leaf):  # torch's fails where there are none
        same(lambda t: t.tree_map_with_path(lambda p, x, y: (t.keystr(p), x, y), tree, tree, is_leaf=is_leaf))
    seen = []
    assert ours.tree_map_(seen.append, tree) is tree and seen == ours.tree_leaves(tree)
    same(lambda t: t.tree_map_only_(int, lambda x: 0, tree))


@given(trees, trees)
def test_one_tree_up_to_another(first, second):
    same(lambda t: t.tree_structure(first).flatten_up_to(second))
    same(lambda t: t.tree_map(lambda x, y: (x, y), first, second))
    same(lambda t: t._broadcast_to_and_flatten(first, t.tree_structure(second)))
    same(lambda t: t.tree_structure(first) == t.tree_structure(second))


def test_dicts_fit_in_any_order():
    same(lambda t: t.tree_map(lambda x, y: x - y, {"a": 1, "b": 2}, OrderedDict(b=5, a=7)))
    same(lambda t: t.tree_map(lambda x, y: x - y, defaultdict(int, a=1), {"a": 7}))


@given(trees)
def test_shapes_as_text(tree):
    tree = ours.tree_map_only(lambda x: isinstance(x, Point), list, tree, is_leaf=lambda x: isinstance(x, Point))
    texts = [outcome(lambda t: t.treespec_dumps(t.tree_structure(tree)), t) for t in BOTH]
    assert texts[0] == texts[1]
    same(lambda t: t.treespec_loads(texts[0]))
    same(lambda t: t.treespec_pprint(t.tree_structure(tree)))


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "action",
    [
        lambda t: t.treespec_dumps(t.tree_structure(Point(1, 2))),
        lambda t: t.treespec_dumps(t.tree_structure({object: 1})),
        lambda t: t.treespec_dumps(t.tree_structure([1]), protocol=2),
        lambda t: t.treespec_dumps([1]),
        lambda t: t.treespec_loads('[2, {"type": null, "context": null, "children_spec": []}]'),
        lambda t: t.treespec_loads('[1, {"type": "a.B", "context": null, "children_spec": []}]'),
        lambda t: t.tree_unflatten([1, 2], t.tree_structure([1])),
        lambda t: t.tree_unflatten([1, 2], "x"),
        lambda t: t.map_only(3),
        lambda t: t.treespec_tuple([1]),
        lambda t: t.treespec_dict(a=1),
        lambda t: t.treespec_dict({"a": t.treespec_leaf()}, b=t.treespec_tuple()),
        lambda t: t.tree_map(lambda x: x, [1], is_leaf=3),
        lambda t: t.register_pytree_node(list, list, list),
        lambda t: t.arg_tree_leaves([1], a=(2,)),
        lambda t: [t.is_namedtuple(Point), t.is_namedtuple(Point(1, 2)), t.is_namedtuple((1,))],
        lambda t: [t.is_namedtuple_instance(Point), t.is_namedtuple_class(Point), t.is_namedtuple_class(3)],
        lambda t: [t.is_structseq(time.gmtime()), t.is_structseq_class(Point), t.is_structseq_instance(torch.Size())],
        lambda t: [str(t.SequenceKey(2)), repr(t.MappingKey("a")), t.GetAttrKey("real").get(3), t.MappingKey[str, int]],
        lambda t: t.treespec_loads(t.treespec_dumps(t.tree_structure({Colour.RED.name: 1}))),
        lambda t: t.tree_structure([1, (2,)]).child(1).children(),
        lambda t: t.tree_structure(defaultdict(list, a=1)).context,
        lambda t: t.register_constant(torch.nn.Linear),
        lambda t: t.register_dataclass(Colour),
    ],
)
def test_answers_and_refusals(action):
    mine, torchs = (outcome(action, lib) for lib in BOTH)
    if isinstance(torchs, tuple) and isinstance(torchs[0], str):
        assert mine[0] == torchs[0]  # the error's type
    else:
        assert repr(mine).replace("minitorch2.utils._pytree_nodes", "torch.utils._pytree") == repr(torchs)


class Pair:
    def __init__(self, first, second):
        self.first, self.second = first, second

    def __repr__(self):
        return f"Pair({self.first}, {self.second})"


@dataclasses.dataclass
class Batch:
    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True)
class Config:
    name: str


@pytest.fixture(scope="module")
def registered():
    def with_keys(lib):
        return lambda p: ([(lib.GetAttrKey("first"), p.first), (lib.GetAttrKey("second"), p.second)], "pair")

    for lib in BOTH:
        lib.register_pytree_node(
            Pair,
            lambda p: ([p.first, p.second], "pair"),
            lambda held, context: Pair(*held),
            serialized_type_name="tests.Pair",
            flatten_with_keys_fn=with_keys(lib),
        )
        lib.register_dataclass(Batch, serialized_type_name="tests.Batch")
        lib.register_constant(Config)
        lib._register_namedtuple(Point, serialized_type_name="tests.Point")
    yield
    for lib in BOTH:
        for kind in (Pair, Batch, Config, Point):
            lib._deregister_pytree_node(kind)


@pytest.mark.parametrize(
    "tree",
    [Pair(1, [2, {"a": 3}]), Batch(1), Batch([1], Pair(2, 3)), [Config("a"), 1], Point(1, (Point(2, 3),))],
    ids=str,
)
def test_containers_of_ones_own(registered, tree):
    same(lambda t: t.tree_flatten(tree))
    same(lambda t: [t.keystr(path) for path, _ in t.tree_leaves_with_path(tree)])
    same(lambda t: t.tree_map(lambda x: 2 * x, tree))
    same(lambda t: t.tree_structure(tree).flatten_up_to(tree))
    same(lambda t: t.is_constant_class(type(tree)))
    if not isinstance(tree, list):
        texts = [t.treespec_dumps(t.tree_structure(tree)) for t in BOTH]
        assert texts[0] == texts[1]
        same(lambda t: t.treespec_loads(texts[0]))
    assert hash(ours.tree_structure(tree)) == hash(ours.tree_structure(copy.deepcopy(tree)))
    same(lambda t: t.tree_map(lambda x, y: x, tree, Pair(1, 2)))
    same(lambda t: t.treespec_dumps(t.tree_structure([Config("a")])))


def test_names_that_packages_register_again(registered):
    for lib in BOTH:
        with pytest.warns(UserWarning, match="Overwriting the previous registration"):
            lib._private_register_pytree_node(Config, lambda c: ([], None), lambda held, context: Config("b"))
        assert lib.tree_map(str, Config("a")) == Config("b")
        with pytest.raises(ValueError, match="Did not find a flatten_with_keys_fn"):
            lib.tree_leaves_with_path([Config("a")])
        with pytest.warns(FutureWarning, match="deprecated"), pytest.warns(UserWarning):
            lib._register_pytree_node(Config, lambda c: ([c.name], None), lambda held, context: Config(*held))
        assert lib.tree_leaves(Config("a")) == ["a"]
        with pytest.warns(FutureWarning, match="treespec_dumps"):
            text = lib.pytree_to_str(lib.tree_structure([1]))
        with pytest.warns(FutureWarning, match="treespec_loads"):
            assert lib.str_to_pytree(text) == lib.tree_structure([1])


def test_a_context_goes_to_text_and_back_or_neither():
    with pytest.raises(ValueError, match="must be None or registered"):  # torch has registered the class by then
        ours.register_pytree_node(int, list, list, to_dumpable_context=str)
    assert ours.tree_is_leaf(1)


def test_every_public_name_is_here():
    assert not [name for name in torch_tree.__all__ if not hasattr(ours, name)]
    for name in ("_list_flatten", "_list_flatten_with_keys", "_list_unflatten", "_dict_flatten_with_keys"):
        assert callable(getattr(ours, name))


def test_what_is_computed_takes_such_containers(registered):
    """torch.func knows the same containers."""
    results = []
    for t in (minitorch2, torch):
        x = t.tensor([1.0, 2.0])
        grads = t.func.grad(lambda d: (d[0]["a"] * d[1].first).sum())(({"a": x}, Pair(x, x)))
        results.append([grads[0]["a"].tolist(), grads[1].first.tolist(), grads[1].second.tolist()])
        many = t.func.vmap(lambda d: deque([d["a"] * 2]))(defaultdict(list, a=x))
        results[-1].append((type(many), many[0].tolist()))
    assert results[0] == results[1]
