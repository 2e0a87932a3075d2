"""The worker process of a DataLoader: reads tasks, fetches batches, sends them; and outlives nobody."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import random
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from ...random import manual_seed
from . import transport, worker_info
from .dataset import Dataset
from .fetch import IterableFetcher, make_fetcher


class _ReadableKeyError(str):
    """KeyError shows the repr of its argument, which would turn a traceback into one line full of
    backslashes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class CaughtException:
    """An exception on its way to another process: its type, and its traceback as text."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.kind = type(error)
        original = "".join(traceback.format_exception(error))
        self.text = f"Caught {self.kind.__name__} {where}.\nOriginal {original}"

    def reraise(self) -> None:
        """Raises the same type with the worker's traceback as its message; RuntimeError for a type that
        cannot be made from a message alone."""
        if self.kind is KeyError:
            raise KeyError(_ReadableKeyError(self.text))
        try:
            if getattr(self.kind, "message", None):
                error = self.kind(message=self.text)  # type: ignore[call-arg]
            else:
                error = self.kind(self.text)
        except Exception:
            error = RuntimeError(self.text)
        raise error

    def packed(self) -> transport.Parts:
        try:
            parts = transport.pack(self)
            pickle.loads(parts[0])
        except Exception:  # a type defined inside a function, for example
            self.kind = RuntimeError
            parts = transport.pack(self)
        return parts


@dataclass(frozen=True)
class WorkerPlan:
    """What all workers of one DataLoader iterator have in common."""

    dataset: Dataset
    auto_collation: bool
    collate_fn: Callable
    drop_last: bool
    base_seed: int
    worker_init_fn: Callable[[int], None] | None
    num_workers: int


def run_worker(plan: WorkerPlan, worker_id: int, connection: Connection, inherited: list[Connection]) -> None:
    """The main function of worker `worker_id`; `connection` leads to the parent.

    inherited: the parent's ends, of which a forked worker has copies it must not keep.

    A task is (epoch, number, index); a new epoch begins a new pass over the dataset. Each is answered by
    (epoch, number, kind): "data" with the batch, "error" with a CaughtException, or "end" where the stream is
    exhausted, after which tasks of that epoch are dropped.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent acts on it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a handler inherited from the parent is not for workers
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # blocked by the parent until now
    for end in inherited:
        end.close()
    tasks: queue.SimpleQueue[tuple | None] = queue.SimpleQueue()
    hung_up = threading.Event()
    threading.Thread(target=_listen, args=(connection, tasks, hung_up), daemon=True).start()

    broken = _prepare(plan, worker_id)
    where = f"in DataLoader worker process {worker_id}"
    fetcher, fetcher_epoch, ended_epoch = None, None, None
    while (task := tasks.get()) is not None and not hung_up.is_set():
        epoch, number, index = task
        if epoch == ended_epoch:
            continue
        try:
            if broken is not None:
                raise broken
            if epoch != fetcher_epoch:
                fetcher = make_fetcher(plan.dataset, plan.auto_collation, plan.collate_fn, plan.drop_last)
                fetcher_epoch = epoch
            kind, parts = _fetch(fetcher, index)
        except Exception as error:
            kind, parts = "error", CaughtException(error, where).packed()
        if kind == "end":
            ended_epoch = epoch
        try:
            transport.send(connection, (epoch, number, kind), parts)
        except OSError:
            return  # the parent has hung up
        del parts  # frees the batch before the next is made


def _fetch(fetcher, index):
    try:
        return "data", transport.pack(fetcher.fetch(index))
    except StopIteration:
        if isinstance(fetcher, IterableFetcher):
            return "end", transport.pack(None)
        raise


def _prepare(plan: WorkerPlan, worker_id: int) -> Exception | None:
    """One thread, as many seeds as there are generators, then worker_init_fn; returns what that raised."""
    from minitorch2_kernels.cpu import blas, pool

    pool.set_num_threads(1)  # the workers are the parallelism
    if blas.set_threads is not None:
        blas.set_threads(1)
    seed = plan.base_seed + worker_id
    random.seed(seed)
    manual_seed(seed)
    # Other numbers than `random` and the default generator get, which would run in step with NumPy's
    # otherwise.
    words = [worker_id, plan.base_seed & 0xFFFFFFFF, plan.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    worker_info.here = worker_info.WorkerInfo(worker_id, plan.num_workers, seed, plan.dataset)
    try:
        if plan.worker_init_fn is not None:
            plan.worker_init_fn(worker_id)
    except Exception as error:
        return error
    return None


def _listen(connection: Connection, tasks: queue.SimpleQueue, hung_up: threading.Event) -> None:
    """A thread that moves tasks into the queue, so that the parent never blocks on a busy worker, and ends
    the process at once when the parent dies, whatever it is doing."""
    parent = _parent_exit()
    watched: list[Any] = [connection, parent]
    while True:
        if parent in wait(watched):
            os._exit(1)
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            hung_up.set()
            tasks.put(None)
            watched = [parent]
        except BaseException:
            traceback.print_exc()  # a task that cannot be read: the parent must not wait for its answer
            os._exit(1)


def _parent_exit() -> int:
    """A descriptor that becomes readable when the parent process exits."""
    parent = multiprocessing.parent_process()
    assert parent is not None and parent.pid is not None
    try:
        # Unlike multiprocessing's sentinel, a pipe, it does not stay open in processes that inherited the
        # writing end.
        return os.pidfd_open(parent.pid)  # type: ignore[attr-defined]
    except ProcessLookupError:
        os._exit(1)
    except (AttributeError, OSError):
        return parent.sentinel
