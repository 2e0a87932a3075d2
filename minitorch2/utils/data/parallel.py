"""The parent's side of worker processes: hands out tasks, puts the batches back in order, and cleans up."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from . import transport
from .iteration import LoaderIterator
from .worker import WorkerPlan, run_worker

if TYPE_CHECKING:
    from .dataloader import DataLoader

_CHECK_INTERVAL = 5.0  # seconds between looks at the processes themselves, and what they have to end in


class _Task:
    """A batch on its way: which worker makes it and, once it is there, what came."""

    __slots__ = ("kind", "parts", "worker")

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.kind: str | None = None
        self.parts: transport.Parts = ()


class ParallelIterator(LoaderIterator):
    """Batches made by worker processes, prefetch_factor of them ahead for each worker.

    Each worker has one socket for tasks and batches; its end is what tells that the worker is gone. Task n
    goes to the next worker in turn that still has data. `_tasks` holds, in the order sent, what was not
    handed out yet.
    """

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self._prefetch_factor = loader.prefetch_factor or 0
        if self._prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._in_order = loader.in_order
        self._timeout = loader.timeout
        self._persistent = loader.persistent_workers
        self._failure: str | None = None
        self._epoch = 0
        plan = WorkerPlan(
            dataset=loader.dataset,
            auto_collation=loader._auto_collation,
            collate_fn=loader.collate_fn,
            drop_last=loader.drop_last,
            base_seed=self._base_seed,
            worker_init_fn=loader.worker_init_fn,
            num_workers=loader.num_workers,
        )
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []
        # Runs when the iterator is collected, and before the interpreter exits.
        self._close = weakref.finalize(self, _end_workers, os.getpid(), self._processes, self._connections)
        try:
            for worker in range(loader.num_workers):
                self._start_worker(context, plan, worker)
            self.restart(loader)
        except BaseException:
            self._close()
            raise

    def _start_worker(self, context: Any, plan: WorkerPlan, worker: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._connections.append(ours)
        forks = context.get_start_method() == "fork"
        inherited = list(self._connections) if forks else []
        process = context.Process(target=run_worker, args=(plan, worker, theirs, inherited), daemon=True)
        self._processes.append(process)
        with theirs, _interrupts_held_back() if forks else contextlib.nullcontext():
            try:
                process.start()
            except Exception as error:
                if not forks:
                    error.add_note(
                        f"The start method {context.get_start_method()!r} pickles dataset, collate_fn and "
                        "worker_init_fn; where one of them cannot be pickled, such as a lambda, define it at "
                        "the top level of a module or choose multiprocessing_context='fork'."
                    )
                raise

    @property
    def closed(self) -> bool:
        return not self._close.alive

    def restart(self, loader: DataLoader) -> None:
        """Begins a pass; what the workers still send of an earlier one is dropped."""
        self._start_pass(loader)
        self._epoch += 1
        self._numbers = itertools.count()
        self._tasks: dict[int, _Task] = {}
        self._has_data = [True] * len(self._processes)
        self._turns = itertools.cycle(range(len(self._processes)))
        self._indices_left = True
        self._fill()

    def _fill(self) -> None:
        while self._indices_left and any(self._has_data):
            if len(self._tasks) >= self._prefetch_factor * sum(self._has_data):
                return
            try:
                index = next(self._indices)
            except StopIteration:
                self._indices_left = False
                return
            number, worker = next(self._numbers), self._next_worker()
            # A worker that is gone is noticed in _receive, after the batches it had sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connections[worker].send((self._epoch, number, index))
            self._tasks[number] = _Task(worker)

    def _next_worker(self) -> int:
        busy = [0] * len(self._processes)
        for task in self._tasks.values():
            busy[task.worker] += 1
        while True:
            worker = next(self._turns)
            # Out of order, a fast worker may get more tasks than a slow one, but none more than its share.
            if self._has_data[worker] and (self._in_order or busy[worker] < self._prefetch_factor):
                return worker

    def _next(self) -> Any:
        if self._failure is not None:
            raise RuntimeError(self._failure)
        while self._tasks:
            number = self._ready()
            if number is None:
                self._receive()
                continue
            task = self._tasks.pop(number)
            self._fill()
            batch = transport.unpack(task.parts)
            if task.kind == "error":
                batch.reraise()
            return batch
        if not self._persistent:
            self._close()
        raise StopIteration

    def _ready(self) -> int | None:
        """The number of the batch to hand out: the first sent, or out of order any that has come."""
        numbers: Iterator[int] = iter(self._tasks)
        if self._in_order:
            numbers = itertools.islice(numbers, 1)
        return next((number for number in numbers if self._tasks[number].kind is not None), None)

    def _receive(self) -> None:
        """Waits until something has come, and stores it. RuntimeError where it never will."""
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        awaited = {task.worker for task in self._tasks.values() if task.kind is None}
        connections: dict[Any, int] = {self._connections[worker]: worker for worker in awaited}
        sentinels: dict[Any, int] = {self._processes[worker].sentinel: worker for worker in awaited}
        while True:
            patience = _CHECK_INTERVAL
            if deadline is not None:
                patience = max(0.0, min(patience, deadline - time.monotonic()))
            ready = wait([*connections, *sentinels], patience)
            came = [connections[end] for end in ready if end in connections]
            if came:
                gone = [worker for worker in came if not self._read(worker)]
            elif ready:
                gone = [sentinels[end] for end in ready]
            else:  # a grandchild may hold the dead worker's socket and sentinel open
                gone = [worker for worker in awaited if not self._processes[worker].is_alive()]
            if gone:
                self._fail(gone)
            if came:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")

    def _read(self, worker: int) -> bool:
        """Stores one answer of `worker`; False where there is none because it is gone."""
        try:
            (epoch, number, kind), parts = transport.receive(self._connections[worker])
        except (EOFError, OSError):
            return False
        except BaseException:  # an interrupt inside a message: the rest of it would be taken for the next one
            self._failure = "the DataLoader iterator was interrupted inside a batch; begin a new pass"
            self._close()
            raise
        if epoch == self._epoch:
            if kind == "end":
                self._retire(worker)
            else:
                self._tasks[number].kind, self._tasks[number].parts = kind, parts
        return True

    def _retire(self, worker: int) -> None:
        """The worker's stream is exhausted: its open tasks are void, and it may go unless another pass
        follows."""
        self._has_data[worker] = False
        void = [n for n, task in self._tasks.items() if task.worker == worker and task.kind is None]
        for number in void:
            del self._tasks[number]
        if not self._persistent:
            transport.hang_up(self._connections[worker])

    def _fail(self, gone: list[int]) -> None:
        processes = [self._processes[worker] for worker in sorted(gone)]
        causes = "; ".join(_last_words(process) for process in processes)
        pids = ", ".join(str(process.pid) for process in processes)
        self._failure = f"DataLoader worker (pid(s) {pids}) exited unexpectedly"
        self._close()
        raise RuntimeError(self._failure) from RuntimeError(causes)


def _last_words(process) -> str:
    process.join(timeout=1.0)  # its socket closes a moment before it can be waited for
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = ": the system may have run out of memory" if name in ("SIGKILL", "SIGBUS") else ""
        return f"worker {process.pid} was killed by {name}{hint}"
    return (
        f"worker {process.pid} ended with exit code {code} without an exception that could be reported here; "
        "num_workers=0 shows where"
    )


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block is left: a forked worker starts with it blocked, and ignores it before it
    unblocks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_workers(owner: int, processes: list[BaseProcess], connections: list[Connection]) -> None:
    """Hangs up, waits, and where that is not enough terminates and kills.

    Ctrl-C hastens it and is passed on: this often runs because the iterator is collected, where Python would
    print a KeyboardInterrupt and go on as if there had been none.
    """
    if os.getpid() != owner:
        return  # a fork inherited the iterator, but the workers are not its children
    interrupted = False
    for end in (None, BaseProcess.terminate, BaseProcess.kill):
        try:
            _wait_for_end(end, processes, connections)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        again = threading.Timer(0.01, _thread.interrupt_main)
        again.daemon = True
        with contextlib.suppress(RuntimeError):  # no new threads where the interpreter is exiting anyway
            again.start()


def _wait_for_end(end: Callable | None, processes: list[BaseProcess], connections: list[Connection]) -> None:
    for connection in connections:
        transport.hang_up(connection)
    started = [process for process in processes if process.pid is not None]
    if end is not None:
        for process in started:
            end(process)
    deadline = time.monotonic() + _CHECK_INTERVAL
    for process in started:
        process.join(timeout=max(0.0, deadline - time.monotonic()))
        if not process.is_alive():
            processes.remove(process)
            process.close()  # its descriptor would stay open until the Process object is collected
