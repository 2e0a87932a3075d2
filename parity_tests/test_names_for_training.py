"""Names of PyTorch's inner modules by which packages that train hang on it (tools/training runs these packages)."""

import subprocess
import sys
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
import torch
import torch.utils._pytree
import torch.utils.data.dataloader
from side_by_side import outcome

import minitorch2
import minitorch2._C
import minitorch2.utils._pytree
import minitorch2.utils.data.dataloader

minitorch2: Any
BOTH = (minitorch2, torch)
Point = namedtuple("Point", "x y")
TREES = [
    [1, {"a": (2, 3), "b": []}],
    (Point(1, [2]), OrderedDict(z=1, y=(2,))),
    {"loaders": [10, 20], "more": {"x": 30}},
    5,
    (),
]


def by_hand(lib, tree):
    """Taken apart node by node, as Lightning's loaders do it, and put together with every leaf doubled."""
    inner = lib.utils._pytree

    def flatten(part):
        kind = inner._get_node_type(part)
        if kind not in inner.SUPPORTED_NODES:
            return [part], inner.LeafSpec()
        held, context = inner.SUPPORTED_NODES[kind].flatten_fn(part)
        flat = [flatten(each) for each in held]
        return [leaf for leaves, _ in flat for leaf in leaves], inner.TreeSpec(kind, context, [s for _, s in flat])

    leaves, spec = flatten(tree)
    assert inner.tree_flatten(tree) == (leaves, spec) and spec.num_leaves == len(leaves)
    return leaves, inner.tree_unflatten([2 * leaf for leaf in leaves], spec)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("tree", TREES, ids=str)
def test_trees_by_hand(tree):
    ours, theirs = (by_hand(lib, tree) for lib in BOTH)
    assert ours == theirs and type(ours[1]) is type(theirs[1])


@pytest.mark.parametrize("kind", [list, tuple, dict, OrderedDict])
def test_containers_are_put_together(kind):
    made = []
    for lib in BOTH:
        node = lib.utils._pytree.SUPPORTED_NODES[kind]
        held, context = node.flatten_fn(kind([("a", 1), ("b", 2)]))
        made.append((held, node.unflatten_fn(held, context)))
    assert made[0] == made[1] and type(made[0][1]) is kind


def test_what_is_no_container():
    assert int not in minitorch2.utils._pytree.SUPPORTED_NODES
    with pytest.raises(KeyError):
        minitorch2.utils._pytree.SUPPORTED_NODES[int]
    assert set(minitorch2.utils._pytree.SUPPORTED_NODES) <= set(torch.utils._pytree.SUPPORTED_NODES)
    d = {"a": 1, "b": 2}
    for lib in BOTH:
        values, keys = lib.utils._pytree._dict_flatten(d)
        assert lib.utils._pytree._dict_unflatten(values, keys) == d


@pytest.mark.parametrize("workers", [0, 1])
def test_iterators_of_loaders_have_torchs_names(workers):
    kinds = []
    for lib in BOTH:
        names = lib.utils.data.dataloader
        iterator = iter(lib.utils.data.DataLoader([1, 2], num_workers=workers))
        kinds.append(
            [
                isinstance(iterator, names._BaseDataLoaderIter),
                isinstance(iterator, names._SingleProcessDataLoaderIter),
                isinstance(iterator, names._MultiProcessingDataLoaderIter),
            ]
        )
        del iterator
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize(
    "arguments",
    [
        lambda t: ("cpu",),
        lambda t: (t.float64,),
        lambda t: ("cpu", t.float16, True),
        lambda t: (t.zeros(1, dtype=t.float64),),
        lambda t: (1, 2, 3),
    ],
)
def test_parse_to(arguments):
    def action(lib):
        device, dtype, non_blocking, memory_format = lib._C._nn._parse_to(*arguments(lib))
        return str(device), str(dtype), non_blocking, memory_format

    ours, theirs = (outcome(action, lib) for lib in BOTH)
    assert ours == theirs or ours[0] == theirs[0] == "TypeError"


@pytest.mark.parametrize("mode", ["fan_in", "FAN_OUT", "neither"])
def test_correct_fan(mode):
    ours, theirs = (outcome(lambda t: t.nn.init._calculate_correct_fan(t.ones(2, 3, 5), mode), lib) for lib in BOTH)
    assert ours[0] == theirs[0] if isinstance(ours, tuple) else ours == theirs


def test_names_that_may_be_asked_about():
    x, layer = minitorch2.ones(2), minitorch2.nn.Linear(1, 1)
    assert not isinstance(3, minitorch2.SymInt) and not isinstance(x, minitorch2.Future[int])
    assert not isinstance(layer, minitorch2.ScriptModule)
    assert minitorch2.Stream is minitorch2.cuda.Stream and minitorch2.Event is minitorch2.cuda.Event
    assert minitorch2.serialization.DEFAULT_PROTOCOL == torch.serialization.DEFAULT_PROTOCOL
    with pytest.raises(NotImplementedError, match="scatter"):
        minitorch2.nn.parallel.scatter_gather.scatter(x, [0])
    with pytest.raises(NotImplementedError, match="does not count"), minitorch2.utils.flop_counter.FlopCounterMode():
        pass


def test_config():
    assert "NumPy" in minitorch2.__config__.show() and "minitorch2" in minitorch2.__config__.show()
    assert str(minitorch2.get_num_threads()) in minitorch2.__config__.parallel_info()


IMPORTS = """
import minitorch2.alias; minitorch2.alias.install()
from torch.distributed.tensor import DTensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.futures import Future, collect_all
from torch.nn.parallel.scatter_gather import scatter_kwargs
from torch._dynamo.eval_frame import OptimizedModule
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.data._utils.collate import np_str_obj_array_pattern
from torch.autograd.profiler import EventList, emit_nvtx, record_function
from torch.serialization import MAP_LOCATION, DEFAULT_PROTOCOL
from torch import Future, ScriptModule, Stream, SymInt
import torch
assert not isinstance(torch.ones(1), DTensor) and not isinstance(torch.nn.ReLU(), OptimizedModule)
assert np_str_obj_array_pattern.search("<U3") and not np_str_obj_array_pattern.search("<f4")
print("imported")
"""


def test_import_paths_of_training_packages():
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert run.stdout == "imported\n", run.stderr
