"""Datasets for the tests of torch.utils.data; workers of any start method can import them without torch."""

import random

import numpy as np

import minitorch2
from minitorch2.utils.data import get_worker_info

X = np.random.default_rng(0).standard_normal((53, 3)).astype(np.float32)
Y = np.arange(53)


def tensors(lib):
    return lib.utils.data.TensorDataset(lib.from_numpy(X), lib.from_numpy(Y))


class Reports:
    """Each sample tells which worker made it and what its random number generators said."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        info = get_worker_info()
        return {
            "i": i,
            "worker": (info.id, info.num_workers, info.seed),
            "random": (random.random(), np.random.rand(), minitorch2.rand(1).item()),
            "array": np.full(20_000, i),
        }


def stream(lib, split=True, n=17):
    data = lib.utils.data

    class Stream(data.IterableDataset):
        def __len__(self):
            return n

        def __iter__(self):
            info = data.get_worker_info()
            if info is None or not split:
                return iter(range(n))
            return iter(range(info.id, n, info.num_workers))

    return Stream()
