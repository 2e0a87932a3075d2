"""DistributedSampler: the part of a dataset that one of several processes sees (torch.utils.data.distributed)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any

from ...random import Generator, randperm
from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every num_replicas-th sample from `rank` on, of an order that is the same in all processes.

    The order is drawn from seed + epoch (:meth:`set_epoch`) unless `shuffle` is False. All processes get the same
    number: the order is filled up from its beginning, or cut with `drop_last`.

    Raises ValueError for a rank that is not in [0, num_replicas), and where either is left out: there are no process
    groups here to ask.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ValueError(
                "Default process group has not been initialized: minitorch2 has no process groups. Pass num_replicas "
                "and rank to DistributedSampler."
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset: Sized = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        if self.shuffle:
            order = randperm(n, generator=Generator().manual_seed(self.seed + self.epoch)).tolist()
        else:
            order = list(range(n))
        # Round after round: a dataset smaller than num_replicas is gone through several times.
        return iter([order[i % n] for i in range(self.rank, self.total_size, self.num_replicas)])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Another order for another epoch: to be called before each, with the same number in all processes."""
        self.epoch = epoch
