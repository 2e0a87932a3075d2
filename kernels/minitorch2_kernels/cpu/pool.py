"""One pool of threads for all CPU kernels.

NumPy lets go of the interpreter lock in copies, ufuncs and matrix products, so plain Python threads compute in
parallel. The calling thread works too. Work is cut in as many equal parts as there are threads, each part always done
the same way: results depend on the number of threads, not on who was faster.

Waiting threads sleep. Where numba is installed they first look out for work for two milliseconds, in compiled code and
without the lock: to wake a thread takes as long as a small layer computes (share_loops.py).

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

import numpy as np

from . import jit
from .blas import controllable, one_thread

loops = jit.Loops("share_loops")

WORTH_WAKING = 8  # times the least work that is worth sharing: as much as waking a thread takes
LOOKS = 1 << 16  # of a thread that had work a moment ago, before it sleeps: two milliseconds, where each takes 30 ns
_SLOT = 16  # numbers: two lines of the cache, so that no two threads write to the same


def _default_threads() -> int:
    for name in ("MINITORCH2_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Inside(threading.local):
    """part: whether this thread is at a part of some work, and shares none of its own."""

    part = False


_threads = _default_threads()
_jobs: queue.SimpleQueue = queue.SimpleQueue()
_workers: list[threading.Thread] = []
_starting = threading.Lock()  # held while workers are started: two of one number would do each job twice
_inside = _Inside()
_slots = np.zeros((0, _SLOT), np.int64)  # a row for each worker: share_loops.py
_NOBODY = _slots  # for a loop that this thread does alone
_bell = np.zeros(_SLOT, np.int64)  # rung for those awake, to look into the queue


def get_num_threads() -> int:
    """How many threads the CPU kernels use."""
    return _threads


def set_num_threads(n: int) -> None:
    """Sets how many threads the CPU kernels use; 1 means the calling thread alone."""
    global _threads
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {n!r}")
    _threads = n


def parts_of(n: int) -> int:
    """How many parts share() makes of range(n): one for each thread; inside a part, or with a BLAS that cannot be held
    to one thread, a single one."""
    return min(_threads, n) if controllable and not _inside.part else 1


def _cut(n: int, parts: int) -> list[tuple[int, int]]:
    """The parts of range(n), as share_loops.share makes them too."""
    return list(pairwise(n * i // parts for i in range(parts + 1)))


def share(function, n: int) -> None:
    """Calls function(start, stop) for equal parts of range(n), one per thread, with BLAS held to one thread.

    An error in any part is raised here, after all parts have ended."""
    threads = parts_of(n)
    if threads <= 1:
        if _threads == 1:  # what was asked for holds for BLAS too
            with one_thread():
                function(0, n)
        else:
            function(0, n)
        return
    (_, own), *others = _cut(n, threads)
    done: queue.SimpleQueue = queue.SimpleQueue()
    _start_workers(threads - 1)
    with one_thread():
        for start, stop in others:
            # NumPy keeps its floating-point error state in the context: the workers compute under the caller's.
            _jobs.put((contextvars.copy_context(), function, start, stop, done))
        _bell[0] += 1
        errors = [_run(function, 0, own)]
        errors += [done.get() for _ in range(threads - 1)]
    for error in errors:
        if error is not None:
            raise error


def share_loop(worth: float, loop, n: int, *arguments) -> None:
    """loop(*arguments, start, stop), compiled, for equal parts of range(n), as share() makes them.

    worth: the work, in units of the least that is worth sharing where the other threads are awake: then they need no
    interpreter's lock (share_loops.py). Where they sleep they are woken for much work; for little they are woken too,
    but for what comes next, and this thread does it all."""
    threads = parts_of(n) if worth >= 1 else 1
    if threads <= 1:
        loop.shared(_NOBODY, 0, n, *arguments)
        return
    _start_workers(threads - 1)
    if loop.shared(_slots[: threads - 1], 0, n, *arguments):
        return
    if worth >= WORTH_WAKING:
        share(lambda start, stop: loop.shared(_NOBODY, start, stop, *arguments), n)
        return
    for _ in range(threads - 1):
        _jobs.put(None)
    for start, stop in _cut(n, threads):
        loop.shared(_NOBODY, start, stop, *arguments)


def share_if(worth_it: bool, function, n: int) -> None:
    """share(), or where that is not worth waking the other threads, function(0, n) here, without BLAS's threads too."""
    if worth_it:
        share(function, n)
    else:
        with one_thread():
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


def _work(jobs, number: int) -> None:
    while True:
        if jit.available:
            heard = int(_bell[0])
            if jobs.empty():
                loops.attend(_slots[number], _bell, heard, LOOKS)
        job = jobs.get()
        if job is not None:
            context, function, start, stop, done = job
            error = context.run(_run, function, start, stop)
            job = context = function = None  # they hold arrays, and the next job may be long in coming
            done.put(error)


def _start_workers(n: int) -> None:
    global _slots
    if len(_workers) >= n:
        return
    with _starting:
        if len(_workers) >= n:  # another thread has started them meanwhile
            return
        if jit.available:
            # Compiled here, so that no job waits for a worker that compiles. Those awake in the slots of before are
            # heard of no more until the bell calls them.
            slots = np.zeros((n, _SLOT), np.int64)
            loops.attend(slots[0], _bell, -1, 0)
            _slots = slots
        while len(_workers) < n:
            number = len(_workers)
            worker = threading.Thread(target=_work, args=(_jobs, number), name=f"minitorch2-pool-{number}", daemon=True)
            worker.start()
            _workers.append(worker)


def _forget() -> None:
    """A forked child has none of the threads: it starts its own when it needs them."""
    global _jobs, _inside, _starting
    _jobs, _inside, _starting = queue.SimpleQueue(), _Inside(), threading.Lock()
    _slots[:] = 0  # nobody is awake in them
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
