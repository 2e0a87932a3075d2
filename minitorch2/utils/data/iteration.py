"""What iterating over a DataLoader returns, and the one that makes batches in this process."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...core import recording
from ...core.device import has_gpu
from .fetch import make_fetcher
from .pinning import pin_memory
from .sampler import draw_seed

if TYPE_CHECKING:
    from .dataloader import DataLoader


class LoaderIterator:
    """One pass over a DataLoader; subclasses say where the next batch comes from."""

    def __init__(self, loader: DataLoader) -> None:
        self._dataset = loader.dataset
        self._index_sampler = loader._index_sampler
        self._pins = loader.pin_memory and has_gpu()
        if loader.pin_memory:
            if loader.pin_memory_device:
                warnings.warn(
                    "pin_memory_device is deprecated, the current accelerator will be used as the device,"
                    f"ignore pin_memory_device='{loader.pin_memory_device}'.",
                    stacklevel=5,
                )
            if not self._pins:
                warnings.warn(
                    "'pin_memory' argument is set as true but no accelerator is found, "
                    "then device pinned memory won't be used.",
                    stacklevel=5,
                )
        # The sampler before the seed, as in torch: both may draw from the same generator.
        self._start_pass(loader)
        self._base_seed = draw_seed(loader.generator)

    def _start_pass(self, loader: DataLoader) -> None:
        self._indices = iter(self._index_sampler)
        self._announced_length = loader._announced_length
        self._handed_out = 0

    def __iter__(self) -> LoaderIterator:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def _next(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _next, which returns a batch")

    def __next__(self) -> Any:
        if recording.current is None:
            batch = self._next()
        else:
            with recording.section(f"enumerate(DataLoader)#{type(self).__name__}.__next__"):
                batch = self._next()
        self._handed_out += 1
        announced = self._announced_length  # known for streams only
        if announced is not None and self._handed_out > announced:
            warnings.warn(
                f"Length of IterableDataset {self._dataset} was reported to be {announced}(when accessing "
                f"len(dataloader)), but {self._handed_out} samples have been fetched. With workers, each of "
                "them must iterate over its own part of the data; see get_worker_info.",
                stacklevel=2,
            )
        return pin_memory(batch) if self._pins else batch

    def __reduce__(self):
        raise NotImplementedError(
            f"{type(self).__name__} cannot be pickled; pickle its DataLoader and iterate over that"
        )


class SerialIterator(LoaderIterator):
    """Batches made in this process, when they are asked for."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._fetcher = make_fetcher(loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last)

    def _next(self) -> Any:
        return self._fetcher.fetch(next(self._indices))
