"""The pool of threads: loops shared without the interpreter's lock, sleeping, forking, and several callers at once."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minitorch2_kernels.cpu import jit, pool

pytestmark = pytest.mark.skipif(not jit.available, reason="numba is not installed: nothing is shared by compiled loops")

BIG, SMALL = 1e9, 1.0  # units of work: enough to wake threads that sleep, and not


@pytest.fixture(autouse=True)
def threads_as_found(monkeypatch):
    """They watch for some 30 ms here, so that a busy machine does not decide what is tested."""
    monkeypatch.setattr(pool, "LOOKS", 1 << 20)
    before = pool.get_num_threads()
    yield
    pool.set_num_threads(before)


@pytest.fixture
def loops():
    from minitorch2_kernels.cpu import formula_loops

    return formula_loops


def awake(threads):
    """Sets the number of threads and waits until the others watch. Each has a part of something first: where one may
    take another's, that one sleeps on."""
    pool.set_num_threads(threads)
    together, deadline = threading.Barrier(threads), time.monotonic() + 10
    pool.share(lambda start, stop: together.wait(), threads)
    while not all(pool._slots[i, 0] == 1 for i in range(threads - 1)):
        assert time.monotonic() < deadline, "the pool's threads do not come back to watch"
        pool.share(lambda start, stop: together.wait(), threads)


def asleep(threads):
    deadline = time.monotonic() + 10
    while any(pool._slots[i, 0] for i in range(threads - 1)):
        assert time.monotonic() < deadline, "the pool's threads do not go to sleep"
        time.sleep(0.01)


def relu_shared(loops, x, worth):
    y = np.full_like(x, np.nan)
    pool.share_loop(worth, loops.relu, x.size, x, y)
    return y


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize(("worth", "size"), [(0.5, 1000), (SMALL, 1), (SMALL, 1000), (BIG, 2), (BIG, 1000)])
def test_all_is_done_awake_or_asleep(loops, threads, worth, size):
    x = np.random.RandomState(0).standard_normal(size).astype(np.float32)
    expected = np.maximum(x, 0)
    if threads > 1:
        awake(threads)
    assert np.array_equal(relu_shared(loops, x, worth), expected)
    asleep(threads)
    assert np.array_equal(relu_shared(loops, x, worth), expected)


def test_threads_that_watch_take_their_part_themselves(loops):
    """The path without the lock is taken: their slots count what they have done."""
    awake(3)
    from minitorch2_kernels.cpu.share_loops import DONE

    before = pool._slots[:2, DONE].copy()
    x, y = np.ones(999, np.float32), np.zeros(999, np.float32)
    deadline = time.monotonic() + 10
    while not loops.relu.shared(pool._slots[:2], 0, x.size, x, y):
        assert time.monotonic() < deadline
        awake(3)
    assert (pool._slots[:2, DONE] == before + 1).all()
    assert (y == 1).all()


def test_where_a_thread_sleeps_nothing_is_done(loops):
    awake(2)
    asleep(2)
    x, y = np.ones(9, np.float32), np.zeros(9, np.float32)
    assert not loops.relu.shared(pool._slots[:1], 0, x.size, x, y)
    assert (y == 0).all()


def test_idle_threads_sleep():
    """After the milliseconds in which they watch, the threads of the pool take no time."""
    awake(2)
    asleep(2)
    before, wall = time.process_time(), time.perf_counter()
    time.sleep(0.3)
    assert time.process_time() - before < 0.3 * (time.perf_counter() - wall)


def test_several_callers_at_once(loops):
    """Threads of the user's share the pool, and each gets its own results."""
    awake(3)
    wrong = []

    def work(seed):
        x = np.random.RandomState(seed).standard_normal(5000).astype(np.float32)
        expected = np.maximum(x, 0)
        for _ in range(300):
            if not np.array_equal(relu_shared(loops, x, SMALL), expected):
                wrong.append(seed)

    callers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_inside_a_part_there_is_one_part(loops):
    awake(2)
    x = np.random.RandomState(0).standard_normal(100).astype(np.float32)
    seen = []

    def part(start, stop):
        seen.append((pool.parts_of(8), np.array_equal(relu_shared(loops, x, BIG), np.maximum(x, 0))))

    pool.share(part, 2)
    assert seen == [(1, True), (1, True)]


@pytest.mark.parametrize("waiting", [True, False])
def test_an_error_in_a_loop_is_raised(waiting):
    from minitorch2_kernels.cpu.share_loops import shareable

    divide = shareable(jit.jit(_divide))
    awake(2)
    if not waiting:
        asleep(2)
    for _ in range(3):
        with pytest.raises((ZeroDivisionError, RuntimeError)):
            pool.share_loop(BIG, divide, 8, np.array([0, 1]))
        awake(2)
    x = np.array([1, 1])
    pool.share_loop(BIG, divide, 8, x)
    assert x[0] == 1


def _divide(x, start, stop):
    for i in range(start, stop):
        if i >= 4:  # in the second thread's part
            x[0] = x[1] // x[0]


def test_a_loop_counts_no_references_and_leaves_those_of_its_arrays(loops):
    """Threads that take slices would pass the counter to and fro; an array in a tuple keeps its own."""
    from minitorch2_kernels.cpu.share_loops import shareable

    look = shareable(jit.jit(_look))
    x, alone, together = np.arange(4.0), np.arange(4), np.arange(4)
    before = [sys.getrefcount(a) for a in (x, alone, together)]
    for waiting in (True, False):
        awake(2) if waiting else asleep(2)
        for _ in range(100):
            pool.share_loop(BIG, look, 4, x, (alone, together))
    assert [sys.getrefcount(a) for a in (x, alone, together)] == before
    np.testing.assert_array_equal(x, np.arange(4) * 2.0**200)


def _look(x, two, start, stop):
    for i in range(start, stop):
        row, first, second = x[i : i + 1], two[0][i : i + 1], two[1][i : i + 1]
        row[0] = row[0] + row[0] + 0 * (first[0] + second[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_starts_threads_of_its_own(loops):
    """The parent's watch in the slots that the child has a copy of; nobody does in the child."""
    awake(2)
    x = np.random.RandomState(0).standard_normal(100).astype(np.float32)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            same = [np.array_equal(relu_shared(loops, x, worth), np.maximum(x, 0)) for worth in (SMALL, BIG, BIG)]
            status = 0 if all(same) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(relu_shared(loops, x, BIG), np.maximum(x, 0))


_TWO_THAT_COME_FIRST_AT_ONCE = """
import threading, time
import numpy as np
from minitorch2_kernels.cpu import formula_loops, pool

begin = threading.Thread.start
def slowly(thread):
    begin(thread)
    if thread.name.startswith("minitorch2-pool"):
        time.sleep(0.1)  # the other caller's turn
threading.Thread.start = slowly
pool.set_num_threads(2)
together, x = threading.Barrier(2), np.zeros(10**6, np.float32)
def work():
    together.wait()
    pool.share_loop(1e9, formula_loops.relu, x.size, x, np.empty_like(x))
callers = [threading.Thread(target=work) for _ in range(2)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
print(sorted(t.name for t in threading.enumerate() if t.name.startswith("minitorch2-pool")))
"""


def test_two_that_come_first_at_once_start_one_worker():
    """Two workers with one slot would do each job twice."""
    ran = subprocess.run(
        [sys.executable, "-c", _TWO_THAT_COME_FIRST_AT_ONCE], capture_output=True, text=True, timeout=300
    )
    assert ran.stdout.strip() == "['minitorch2-pool-0']", ran.stderr
