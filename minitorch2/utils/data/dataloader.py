"""DataLoader: batches from a dataset, in this process or from worker processes
(torch.utils.data.DataLoader)."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...random import Generator
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset
from .iteration import LoaderIterator, SerialIterator
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from .worker_info import get_worker_info

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

_BaseDataLoaderIter, _SingleProcessDataLoaderIter = LoaderIterator, SerialIterator  # torch's names


def __getattr__(name: str) -> Any:
    if name == "_MultiProcessingDataLoaderIter":
        from .parallel import ParallelIterator

        return ParallelIterator
    raise AttributeError(f"minitorch2.utils.data.dataloader has no '{name}'")


__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_collate_fn_t = Callable[[list[_T]], Any]  # torch's name for the type of a collate_fn
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _Endless(Sampler[None]):
    """The sampler of streams, which know no indices."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[_T_co]):
    """Iterates over batches of `dataset`; each `for` loop is one pass.

    batch_size: samples per batch; None hands out single samples, converted but not collated. shuffle: a new
    random order each pass. sampler: an iterable of indices in place of shuffle. batch_sampler: an iterable of
    lists of indices in place of batch_size, shuffle, sampler and drop_last. drop_last: leave out a last batch
    that is shorter. collate_fn: makes a batch of a list of samples (default_collate). generator: draws the
    order and the workers' seeds; the default generator where None.

    num_workers: how many processes load batches ahead; 0 loads in this one. prefetch_factor: batches ahead
    for each worker (2). timeout: seconds to wait for a batch, 0 for ever. worker_init_fn: called with the
    worker's id in each worker, after `random`, `numpy.random` and the default generator were seeded.
    multiprocessing_context: "fork", "spawn", "forkserver" or a context. persistent_workers: keep the
    processes for the next pass. in_order=False: hand out batches as they arrive. pin_memory:
    batches in pinned memory; without a GPU no effect but a warning.

    The same seed gives the same batches as in torch, for any number of workers.

    Fork: the start method is multiprocessing's default, "fork" on Linux up to Python 3.13. A forked worker
    has a copy of this process, but only of the thread that iterates: a lock that another thread holds at that
    moment stays locked in the worker. Choose "spawn" where threads or libraries do not allow for that; then
    dataset, collate_fn and worker_init_fn must be picklable, and a script must start its work under
    `if __name__ == "__main__":`.

    Raises ValueError for arguments that exclude each other; an exception in a worker is raised again here
    with the worker's traceback; RuntimeError where a worker dies or `timeout` passes.
    """

    def __init__(
        self,
        dataset: Dataset[_T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")

        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context  # type: ignore[assignment]
        self.in_order = in_order

        _check_sampling(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if sampler is None:
            if isinstance(dataset, IterableDataset):
                sampler = _Endless()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]
            else:
                sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers

        self._announced_length: int | None = None  # what len() last said of a stream
        self._iterator: Any = None  # kept where workers are persistent
        self._initialized = True
        self.check_worker_number_rationality()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_initialized" in self.__dict__:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """The context that makes the workers; None for multiprocessing's default."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: str | BaseContext | None) -> None:
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                f"but got num_workers={self.num_workers}"
            )
        if context is None:
            self._multiprocessing_context = None
            return
        import multiprocessing
        from multiprocessing.context import BaseContext

        if isinstance(context, str):
            methods = multiprocessing.get_all_start_methods()
            if context not in methods:
                raise ValueError(
                    f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                    f"but got multiprocessing_context={context!r}"
                )
            context = multiprocessing.get_context(context)
        if not isinstance(context, BaseContext):
            raise TypeError(
                "multiprocessing_context option should be a valid context object or a string specifying the "
                f"start method, but got multiprocessing_context={context}"
            )
        self._multiprocessing_context = context

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def _get_iterator(self) -> Iterator:
        if self.num_workers == 0:
            return SerialIterator(self)
        from .parallel import ParallelIterator  # with multiprocessing, which takes as long to import as half of this

        return ParallelIterator(self)

    def __iter__(self) -> Iterator:
        if not self.persistent_workers or self.num_workers == 0:
            return self._get_iterator()
        if self._iterator is None or self._iterator.closed:
            self._iterator = self._get_iterator()
        else:
            self._iterator.restart(self)
        return self._iterator

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        length = self._announced_length = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warns where there are more workers than processors for them."""
        affinity = hasattr(os, "sched_getaffinity")
        processors = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
        if self.num_workers > processors:
            unseen = "" if affinity else " (`cpuset` is not taken into account)"
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested "
                f"max number of worker in current system is {processors}{unseen}, which is smaller than what "
                "this DataLoader is going to create. More workers than processors rarely load faster.",
                stacklevel=3,
            )


def _check_sampling(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last):
    if isinstance(dataset, IterableDataset):
        expected = "DataLoader with IterableDataset: expected unspecified"
        if shuffle not in (False, None):
            raise ValueError(f"{expected} shuffle option, but got shuffle={shuffle}")
        if sampler is not None:
            raise ValueError(f"{expected} sampler option, but got sampler={sampler}")
        if batch_sampler is not None:
            raise ValueError(f"{expected} batch_sampler option, but got batch_sampler={batch_sampler}")
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
