"""From indices to a collated batch: the same code in the main process and in the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...tensor import Tensor
from .collate import collate_tensor_fn, default_collate, default_collate_fn_map
from .dataset import Dataset, IterableDataset, Subset, TensorDataset


class MapFetcher:
    """fetch(indices) -> the collated batch; where batches are off, fetch(index) -> the converted sample."""

    def __init__(self, dataset: Dataset, auto_collation: bool, collate_fn: Callable) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn

    def fetch(self, index: Any) -> Any:
        if not self.auto_collation:
            return self.collate_fn(self.dataset[index])
        if self.collate_fn is default_collate:
            batch = _gathered(self.dataset, index)
            if batch is not None:
                return batch
        if getattr(self.dataset, "__getitems__", None):
            samples = self.dataset.__getitems__(index)  # type: ignore[attr-defined]
        else:
            samples = [self.dataset[i] for i in index]
        return self.collate_fn(samples)


class IterableFetcher:
    """fetch(placeholders) -> the next len(placeholders) samples collated, or the next sample where batches
    are off. StopIteration at the end of the stream."""

    def __init__(self, dataset: IterableDataset, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.stream = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def fetch(self, placeholders: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        samples = []
        for _ in placeholders:
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(placeholders)):
            raise StopIteration
        return self.collate_fn(samples)


def make_fetcher(
    dataset: Dataset, auto_collation: bool, collate_fn: Callable, drop_last: bool
) -> MapFetcher | IterableFetcher:
    if isinstance(dataset, IterableDataset):
        return IterableFetcher(dataset, auto_collation, collate_fn, drop_last)
    return MapFetcher(dataset, auto_collation, collate_fn)


def _gathered(dataset: Dataset, indices: Any) -> list[Tensor] | None:
    """What default_collate makes of a TensorDataset's rows, gathered tensor by tensor instead of row by row;
    None where that might differ: for other datasets, subclasses, or a batch that row by row ends in an
    error."""
    while type(dataset) is Subset:
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or default_collate_fn_map.get(Tensor) is not collate_tensor_fn:
        return None
    if not isinstance(indices, list) or set(map(type, indices)) not in ({int}, {np.int64}):
        return None  # a list of tensors, say, or of keys that select something else than one row each
    rows = np.array(indices, np.int64)
    length = len(dataset)
    if rows.min() < -length or rows.max() >= length:
        return None
    if not all(type(tensor) is Tensor for tensor in dataset.tensors):
        return None
    at = Tensor._wrap(rows)
    return [tensor[at] for tensor in dataset.tensors]
