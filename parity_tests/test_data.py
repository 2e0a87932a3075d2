"""torch.utils.data side by side: same batches, same use of random numbers."""

import collections
import itertools
import random
import warnings

import numpy as np
import pytest
import torch
from data_samples import stream, tensors

import minitorch2
import minitorch2.utils.data

LIBRARIES = (minitorch2, torch)


def plain(value):
    """Nested batches without the library: the kinds of containers, dtypes and values."""
    if isinstance(value, minitorch2.Tensor | torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return "ndarray", str(value.dtype), value.tolist()
    return type(value).__name__, value


def both(function):
    """function(lib) from the same seed in both libraries, and the random number that comes next."""
    results = []
    for lib in LIBRARIES:
        lib.manual_seed(5)
        results.append((plain(function(lib)), plain(lib.rand(2))))
    return results


def assert_same(function):
    ours, theirs = both(function)
    assert ours == theirs


class Squares:
    """A map-style dataset of both libraries: dicts of arrays, numbers and strings."""

    def __len__(self):
        return 23

    def __getitem__(self, i):
        return {"array": np.full(2, i, np.float32), "number": i * i, "half": i / 2, "name": f"n{i}"}


class Together(Squares):
    def __getitems__(self, indices):
        return [{"all": len(indices), **self[i]} for i in indices]


class Noisy:
    """Every source of random numbers a sample may draw from."""

    def __init__(self, lib):
        self.lib = lib

    def __len__(self):
        return 20

    def __getitem__(self, i):
        return i, random.random(), np.random.rand(), self.lib.rand(2)


LOADERS = {
    "in order": lambda lib, **kw: lib.utils.data.DataLoader(tensors(lib), batch_size=8, **kw),
    "shuffled": lambda lib, **kw: lib.utils.data.DataLoader(tensors(lib), batch_size=8, shuffle=True, **kw),
    "drop_last": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), batch_size=8, shuffle=True, drop_last=True, **kw
    ),
    "own generator": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 8, True, generator=lib.Generator().manual_seed(3), **kw
    ),
    "with replacement": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 8, sampler=lib.utils.data.RandomSampler(tensors(lib), True, 70), **kw
    ),
    "more than a pass": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 8, sampler=lib.utils.data.RandomSampler(tensors(lib), num_samples=120), **kw
    ),
    "subset": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 4, sampler=lib.utils.data.SubsetRandomSampler([3, 1, 41, 5, 9, -2]), **kw
    ),
    "weighted": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 4, sampler=lib.utils.data.WeightedRandomSampler([0.1, 3, 0, 1.5], 11), **kw
    ),
    "weighted once": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 4, sampler=lib.utils.data.WeightedRandomSampler([0.1, 3, 0.2, 1.5], 3, False), **kw
    ),
    "tensor as sampler": lambda lib, **kw: lib.utils.data.DataLoader(tensors(lib), 4, sampler=lib.randperm(10), **kw),
    "NumPy indices": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 4, sampler=np.arange(9, dtype=np.uint8), **kw
    ),
    "subset of NumPy indices": lambda lib, **kw: lib.utils.data.DataLoader(
        lib.utils.data.Subset(tensors(lib), np.arange(9)), 4, True, **kw
    ),
    "batch_sampler": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), batch_sampler=[[0, 5], [7], [1, 2, 3]], **kw
    ),
    "single samples": lambda lib, **kw: lib.utils.data.DataLoader(tensors(lib), None, True, **kw),
    "dicts": lambda lib, **kw: lib.utils.data.DataLoader(Squares(), 5, True, **kw),
    "__getitems__": lambda lib, **kw: lib.utils.data.DataLoader(Together(), 5, True, **kw),
    "own collate_fn": lambda lib, **kw: lib.utils.data.DataLoader(tensors(lib), 8, True, collate_fn=list, **kw),
    "a sampler that draws at once": lambda lib, **kw: lib.utils.data.DataLoader(
        tensors(lib), 8, sampler=Eager(lib), **kw
    ),
    "split": lambda lib, **kw: lib.utils.data.DataLoader(
        lib.utils.data.random_split(tensors(lib), [0.5, 0.3, 0.2])[1], 4, True, **kw
    ),
    "random samples": lambda lib, **kw: lib.utils.data.DataLoader(Noisy(lib), 3, True, **kw),
    "stream": lambda lib, **kw: lib.utils.data.DataLoader(stream(lib), 4, **kw),
    "stream, drop_last": lambda lib, **kw: lib.utils.data.DataLoader(stream(lib), 4, drop_last=True, **kw),
    "stream of single samples": lambda lib, **kw: lib.utils.data.DataLoader(stream(lib), None, **kw),
}


class Eager:
    def __init__(self, lib):
        self.lib = lib

    def __iter__(self):
        return iter(self.lib.randperm(20).tolist())

    def __len__(self):
        return 20


@pytest.mark.parametrize("name", LOADERS)
def test_batches(name):
    def two_passes(lib):
        random.seed(1)
        np.random.seed(1)
        loader = LOADERS[name](lib)
        return [list(loader), list(loader), len(loader)]

    assert_same(two_passes)


@pytest.mark.parametrize("name", ["shuffled", "own generator", "a sampler that draws at once", "random samples"])
def test_batches_from_workers(name):
    def two_passes(lib):
        loader = LOADERS[name](lib, num_workers=2)
        return [list(loader), list(loader)]

    assert_same(two_passes)


@pytest.mark.parametrize("name", ["stream", "stream, drop_last", "stream of single samples"])
def test_stream_from_workers(name):
    assert_same(lambda lib: list(LOADERS[name](lib, num_workers=2)))


def test_persistent_workers_go_on_where_they_were():
    def three_passes(lib):
        loader = LOADERS["random samples"](lib, num_workers=2, persistent_workers=True)
        first = list(loader)
        cut_short = list(itertools.islice(loader, 2))
        return [first, cut_short, list(loader)]

    assert_same(three_passes)


def test_persistent_stream():
    def two_passes(lib):
        loader = LOADERS["stream"](lib, num_workers=2, persistent_workers=True)
        return [list(loader), list(loader)]

    assert_same(two_passes)


def test_out_of_order_hands_out_every_batch():
    loader = minitorch2.utils.data.DataLoader(tensors(minitorch2), 4, num_workers=2, in_order=False)
    assert sorted(y for _, ys in loader for y in ys.tolist()) == list(range(53))


def test_the_numbers_of_tasks_ahead():
    """The sampler is asked for prefetch_factor indices per worker, then for one more with each batch."""

    def progress(lib):
        asked = []

        def indices():
            for i in range(20):
                asked.append(i)
                yield i

        loader = lib.utils.data.DataLoader(Squares(), 1, sampler=indices(), num_workers=2, prefetch_factor=3)
        batches = iter(loader)
        counts = [len(asked)]
        for _ in range(3):
            next(batches)
            counts.append(len(asked))
        return counts

    assert_same(progress)


def test_gathered_batches_are_those_of_single_rows():
    """The short cut for TensorDataset against a subclass, which is read row by row."""
    data = minitorch2.utils.data

    class RowByRow(data.TensorDataset):
        pass

    n = np.arange(24)
    arrays = [n.reshape(12, 2) / 2, n[:12] > 5, n.astype(np.float16).reshape(2, 12).T]
    columns = [minitorch2.from_numpy(array) for array in arrays]
    inner = [4, -1, 7, 0, 2]
    for indices in ([0, 3, 1], [2], [-1, 4, -5]):
        for nested in (False, True):
            whole, rows = data.TensorDataset(*columns), RowByRow(*columns)
            if nested:
                whole, rows = (data.Subset(data.Subset(d, range(12)), inner) for d in (whole, rows))
            fast, slow = (next(iter(data.DataLoader(d, batch_sampler=[indices]))) for d in (whole, rows))
            assert plain(fast) == plain(slow)
            assert all(f.is_contiguous() and f.stride() == s.stride() for f, s in zip(fast, slow, strict=True))


def test_gathering_respects_a_changed_collate_table():
    table = minitorch2.utils.data.collate.default_collate_fn_map
    before = table[minitorch2.Tensor]
    table[minitorch2.Tensor] = lambda batch, *, collate_fn_map: len(batch)
    try:
        assert next(iter(LOADERS["in order"](minitorch2))) == [8, 8]
    finally:
        table[minitorch2.Tensor] = before


Point = collections.namedtuple("Point", "x y")


class Pair(collections.UserList):
    pass


CONVERTIBLE = {
    "float": lambda lib: 1.5,
    "int": lambda lib: 3,
    "bool": lambda lib: True,
    "str": lambda lib: "a",
    "bytes": lambda lib: b"a",
    "tensor": lambda lib: lib.tensor([1.0, 2.0]),
    "int tensor": lambda lib: lib.tensor(3),
    "array": lambda lib: np.ones((2, 3), np.int16),
    "0-d array": lambda lib: np.array(2.0),
    "np.float32": lambda lib: np.float32(2),
    "np.int8": lambda lib: np.int8(2),
    "np.uint8": lambda lib: np.uint8(200),
    "np.bool": lambda lib: np.bool_(True),
    "dict": lambda lib: {"a": 1, "b": [1.0, lib.tensor(2)]},
    "defaultdict": lambda lib: collections.defaultdict(list, a=1),
    "OrderedDict": lambda lib: collections.OrderedDict(a=1, b="c"),
    "namedtuple": lambda lib: Point(1, "b"),
    "tuple": lambda lib: (1, 2.0, "c"),
    "list": lambda lib: [1, 2.0, "c"],
    "nested": lambda lib: [(1, {"k": np.zeros(1)}), Point(2, (3, 4))],
    "range": lambda lib: range(3),
    "own list": lambda lib: Pair([1, 2]),
    "empty list": lambda lib: [],
    "np.str": lambda lib: np.str_("a"),
}


def without_userlist(value):
    return ["Pair", *value] if isinstance(value, Pair) else value


@pytest.mark.parametrize("name", CONVERTIBLE)
def test_collate(name):
    make = CONVERTIBLE[name]
    assert_same(lambda lib: without_userlist(lib.utils.data.default_collate([make(lib), make(lib)])))


@pytest.mark.parametrize("name", [*CONVERTIBLE, "object", "text array"])
def test_convert(name):
    others = {"object": lambda lib: Ellipsis, "text array": lambda lib: np.array(["a"])}
    make = {**CONVERTIBLE, **others}[name]
    assert_same(lambda lib: without_userlist(lib.utils.data.default_convert(make(lib))))


def test_collate_keeps_what_a_dict_carries():
    sample = collections.defaultdict(list, a=1)
    assert minitorch2.utils.data.default_collate([sample, sample])["unknown"] == []


def test_collate_stacks_with_gradient():
    rows = [minitorch2.tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
    minitorch2.utils.data.default_collate(rows).sum().backward()
    assert rows[1].grad.tolist() == [1.0, 1.0]


def test_datasets():
    def everything(lib):
        data = lib.utils.data
        ds = tensors(lib)
        joined = ds + data.Subset(ds, [4, 2])
        stacked = data.StackDataset(ds, range(53))
        named = data.StackDataset(a=ds, b=data.Subset(Together(), [0] * 53))
        chained = stream(lib) + stream(lib, n=3)
        with pytest.warns(FutureWarning, match="renamed to `cumulative_sizes`"):
            assert joined.cummulative_sizes is joined.cumulative_sizes
        return [
            len(joined),
            joined[53],
            joined[-1],
            joined.cumulative_sizes,
            type(joined).__name__,
            stacked[3],
            len(stacked),
            stacked.__getitems__([1, 2]),
            named[1],
            named.__getitems__([0, 2]),
            list(chained),
            len(chained),
            type(chained).__name__,
            data.Subset(ds, [3, 5])[1],
            data.Subset(list(range(50)), [3, 5])[1],
            len(data.Subset(ds, [3, 5])),
            [subset.indices for subset in data.random_split(range(11), [0.4, 0.4, 0.2])],
            [part.indices for part in data.random_split(range(9), [3, 6], lib.Generator().manual_seed(1))],
            data.ConcatDataset.cumsum([[1], [2, 3]]),
        ]

    assert_same(everything)


def test_lengths():
    def lengths(lib):
        data = lib.utils.data
        return [
            len(data.DataLoader(dataset, batch_size, drop_last=drop_last))
            for dataset in (tensors(lib), stream(lib))
            for batch_size, drop_last in ((1, False), (4, False), (4, True), (None, False))
        ]

    assert_same(lengths)


def test_no_warnings_otherwise():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Python 3.12 warns of a fork while there are other threads, which other tests may have left.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        list(LOADERS["shuffled"](minitorch2))
        list(LOADERS["stream"](minitorch2, num_workers=1))
