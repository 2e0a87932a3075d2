"""What a dataset can ask about the worker process that it is in."""

from __future__ import annotations

from dataclasses import dataclass

from .dataset import Dataset


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What `get_worker_info` tells: the worker's id in [0, num_workers), its seed, and its own copy of the
    dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Dataset


here: WorkerInfo | None = None  # a worker puts its own here


def get_worker_info() -> WorkerInfo | None:
    """About the DataLoader worker that calls it; None in the main process."""
    return here
