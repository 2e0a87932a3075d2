"""One pool of threads for all CPU kernels.

NumPy lets go of the interpreter lock in copies, ufuncs and matrix products, so plain Python threads compute in
parallel. The calling thread works too; waiting threads sleep. Work is cut in as many equal parts as there are threads,
each part always done the same way: results depend on the number of threads, not on who was faster.

A part in NumPy should be few calls on much, hundreds of kilobytes each. Between two calls a thread takes the
interpreter's lock, and two threads that want it every few microseconds spend their time handing it over: relu's
gradient in blocks of 64 KiB took three to five times as long as in blocks of 1 MiB, in cache or not.
"""

from __future__ import annotations

import contextvars
import os
import queue
import threading
from itertools import pairwise

from .blas import controllable, one_thread


def _default_threads() -> int:
    for name in ("MINITORCH2_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_threads = _default_threads()
_jobs: queue.SimpleQueue = queue.SimpleQueue()
_workers: list[threading.Thread] = []
_inside = threading.local()


def get_num_threads() -> int:
    """How many threads the CPU kernels use."""
    return _threads


def set_num_threads(n: int) -> None:
    """Sets how many threads the CPU kernels use; 1 means the calling thread alone."""
    global _threads
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {n!r}")
    _threads = n


def share(function, n: int) -> None:
    """Calls function(start, stop) for equal parts of range(n), one per thread, with BLAS held to one thread.

    An error in any part is raised here, after all parts have ended. Inside a part, and where BLAS cannot be held, the
    whole range is one part."""
    threads = min(_threads, n) if controllable and not getattr(_inside, "part", False) else 1
    if threads <= 1:
        if _threads == 1:  # what was asked for holds for BLAS too
            with one_thread():
                function(0, n)
        else:
            function(0, n)
        return
    bounds = [n * i // threads for i in range(threads + 1)]
    done: queue.SimpleQueue = queue.SimpleQueue()
    _start_workers(threads - 1)
    with one_thread():
        for start, stop in pairwise(bounds[1:]):
            # NumPy keeps its floating-point error state in the context: the workers compute under the caller's.
            _jobs.put((contextvars.copy_context(), function, start, stop, done))
        errors = [_run(function, 0, bounds[1])]
        errors += [done.get() for _ in range(threads - 1)]
    for error in errors:
        if error is not None:
            raise error


def share_if(worth_it: bool, function, n: int) -> None:
    """share(), or where that is not worth waking the other threads, function(0, n) here."""
    if worth_it:
        share(function, n)
    else:
        function(0, n)


def _run(function, start, stop):
    _inside.part = True
    try:
        function(start, stop)
    except BaseException as error:  # handed to the caller of share()
        return error
    finally:
        _inside.part = False
    return None


def _work(jobs) -> None:
    while True:
        context, function, start, stop, done = jobs.get()
        done.put(context.run(_run, function, start, stop))


def _start_workers(n: int) -> None:
    while len(_workers) < n:
        worker = threading.Thread(target=_work, args=(_jobs,), name="minitorch2-pool", daemon=True)
        worker.start()
        _workers.append(worker)


def _forget() -> None:
    """A forked child has none of the threads: it starts its own when it needs them."""
    global _jobs, _inside
    _jobs, _inside = queue.SimpleQueue(), threading.local()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
