"""torch.utils.data side by side: same errors, same warnings."""

import warnings

import numpy as np
import pytest
import torch
from data_samples import stream, tensors

import minitorch2
import minitorch2.utils.data

LIBRARIES = (minitorch2, torch)

ERRORS = {
    "num_workers": lambda lib, L: L(tensors(lib), num_workers=-1),
    "timeout": lambda lib, L: L(tensors(lib), timeout=-1),
    "timeout without workers": lambda lib, L: iter(L(tensors(lib), timeout=1)),
    "prefetch without workers": lambda lib, L: L(tensors(lib), prefetch_factor=2),
    "prefetch": lambda lib, L: L(tensors(lib), num_workers=1, prefetch_factor=-2),
    "prefetch 0": lambda lib, L: iter(L(tensors(lib), num_workers=1, prefetch_factor=0)),
    "persistent": lambda lib, L: L(tensors(lib), persistent_workers=True),
    "sampler and shuffle": lambda lib, L: L(tensors(lib), sampler=[1], shuffle=True),
    "batch_sampler and batch_size": lambda lib, L: L(tensors(lib), 2, batch_sampler=[[1]]),
    "batch_sampler and shuffle": lambda lib, L: L(tensors(lib), shuffle=True, batch_sampler=[[1]]),
    "batch_sampler and sampler": lambda lib, L: L(tensors(lib), sampler=[1], batch_sampler=[[1]]),
    "batch_sampler and drop_last": lambda lib, L: L(tensors(lib), drop_last=True, batch_sampler=[[1]]),
    "no batches and drop_last": lambda lib, L: L(tensors(lib), None, drop_last=True),
    "batch_size 0": lambda lib, L: L(tensors(lib), 0),
    "batch_size float": lambda lib, L: L(tensors(lib), 2.0),
    "batch_size bool": lambda lib, L: L(tensors(lib), True),
    "drop_last": lambda lib, L: L(tensors(lib), 2, drop_last=1),
    "stream shuffled": lambda lib, L: L(stream(lib), shuffle=True),
    "stream and sampler": lambda lib, L: L(stream(lib), sampler=[1]),
    "stream and batch_sampler": lambda lib, L: L(stream(lib), batch_sampler=[[1]]),
    "context without workers": lambda lib, L: L(tensors(lib), multiprocessing_context="fork"),
    "context": lambda lib, L: L(tensors(lib), num_workers=1, multiprocessing_context="threads"),
    "context type": lambda lib, L: L(tensors(lib), num_workers=1, multiprocessing_context=3),
    "set afterwards": lambda lib, L: setattr(L(tensors(lib)), "batch_size", 3),
    "empty and shuffled": lambda lib, L: L([], shuffle=True),
    "index out of range": lambda lib, L: list(L(tensors(lib), sampler=[60])),
    "pickled iterator": lambda lib, L: iter(L(tensors(lib))).__reduce__(),
    "replacement": lambda lib, L: lib.utils.data.RandomSampler([1], replacement=1),
    "num_samples": lambda lib, L: lib.utils.data.RandomSampler([1], num_samples=0),
    "num_samples float": lambda lib, L: lib.utils.data.RandomSampler([1], True, 2.0),
    "weights 2-d": lambda lib, L: lib.utils.data.WeightedRandomSampler([[1.0]], 1),
    "weights, num_samples": lambda lib, L: lib.utils.data.WeightedRandomSampler([1.0], True),
    "weights, replacement": lambda lib, L: lib.utils.data.WeightedRandomSampler([1.0], 1, 1),
    "split sum": lambda lib, L: lib.utils.data.random_split(range(5), [2, 2]),
    "split fraction": lambda lib, L: lib.utils.data.random_split(range(5), [-0.5, 1.5]),
    "tensors": lambda lib, L: lib.utils.data.TensorDataset(lib.zeros(2), lib.zeros(3)),
    "no __getitem__": lambda lib, L: lib.utils.data.Dataset()[0],
    "stack nothing": lambda lib, L: lib.utils.data.StackDataset(),
    "stack both": lambda lib, L: lib.utils.data.StackDataset([1], a=[1]),
    "stack lengths": lambda lib, L: lib.utils.data.StackDataset([1], [1, 2]),
    "concat nothing": lambda lib, L: lib.utils.data.ConcatDataset([]),
    "concat stream": lambda lib, L: lib.utils.data.ConcatDataset([stream(lib)]),
    "concat index": lambda lib, L: lib.utils.data.ConcatDataset([[1]])[-2],
    "chain": lambda lib, L: list(lib.utils.data.ChainDataset([[1]])),
    "collate lengths": lambda lib, L: lib.utils.data.default_collate([[1], [1, 2]]),
    "collate object": lambda lib, L: lib.utils.data.default_collate([{"a": None}]),
    "collate strings": lambda lib, L: lib.utils.data.default_collate([np.array(["a"])]),
    "collate shapes": lambda lib, L: lib.utils.data.default_collate([lib.zeros(2), lib.zeros(3)]),
}


# torch's iterator fails once more when it is collected, after prefetch_factor=0 was refused.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    raised = []
    for lib in LIBRARIES:
        with pytest.raises(Exception) as caught:
            ERRORS[name](lib, lib.utils.data.DataLoader)
        raised.append(caught.value)
    ours, theirs = raised
    assert type(ours) is type(theirs)
    if name != "pickled iterator":  # torch leaves a format string unfilled
        assert str(ours) == str(theirs)


def test_subset_subclass_must_define_getitems():
    for lib in LIBRARIES:
        kind = type("Mine", (lib.utils.data.Subset,), {"__getitem__": lambda self, i: i})
        with pytest.raises(NotImplementedError, match="Mine overrides __getitem__ but not __getitems__"):
            kind([1], [0])


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda lib: iter(lib.utils.data.DataLoader([1], pin_memory=True)), "no accelerator is found"),
        (
            lambda lib: iter(lib.utils.data.DataLoader([1], pin_memory=True, pin_memory_device="cuda")),
            "pin_memory_device is deprecated",
        ),
        (lambda lib: lib.utils.data.DataLoader([1], num_workers=999), "will create 999 worker processes"),
        (lambda lib: lib.utils.data.random_split(range(2), [0.9, 0.1]), "Length of split at index 1 is 0"),
    ],
)
def test_warnings(make, words):
    for lib in LIBRARIES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make(lib)
        assert any(words in str(warning.message) for warning in caught)
        assert lib is torch or all(warning.filename == __file__ for warning in caught)


def test_warns_of_a_stream_longer_than_announced():
    for lib in LIBRARIES:
        loader = lib.utils.data.DataLoader(stream(lib, split=False), None, num_workers=2)
        assert len(loader) == 17
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert len(list(loader)) == 34
        caught = [w for w in caught if w.category is not DeprecationWarning]  # Python 3.12 warns of fork beside threads
        assert len(caught) == 34 - 17
        assert "was reported to be 17(when accessing len(dataloader)), but 18 samples" in str(caught[0].message)
