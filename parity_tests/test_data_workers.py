"""DataLoader's worker processes: errors, deaths, timeouts, start methods, and that nothing is left behind."""

import contextlib
import ctypes
import faulthandler
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from data_samples import Reports

import minitorch2
import minitorch2.utils.data
from minitorch2.utils.data import (
    DataLoader,
    IterableDataset,
    get_worker_info,
    parallel,
    transport,
)

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks for processes in /proc")


def children(pid="self") -> set[int]:
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since it was listed
            found |= {int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()}
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.02)


def held():
    """What may be left behind: children, descriptors, names in shared memory."""
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed them
            descriptors.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return {pid for pid in children() if not is_server(pid)}, descriptors, set(os.listdir("/dev/shm"))


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = held()
    yield
    if not all(now <= then for now, then in zip(held(), before, strict=True)):
        gc.collect()  # an exception that a test kept refers to the iterator in a cycle
    new_children, new_descriptors, new_names = (now - then for now, then in zip(held(), before, strict=True))
    assert not new_children and not new_names
    if not any(map(is_server, children())):  # whose descriptors stay with them
        assert not new_descriptors


def is_server(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"resource_tracker" in command or b"forkserver" in command


class Calls:
    """A dataset of n samples that calls a function for each."""

    def __init__(self, function, n=8):
        self.function, self.n = function, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.function(i)


def broken(error, at=3):
    def function(i):
        if i == at:
            raise error
        return i

    return Calls(function)


class Unlucky(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


@pytest.mark.parametrize("kind, args", [(ValueError, ["no"]), (KeyError, ["missing"]), (Unlucky, [1, 2])])
def test_an_exception_reaches_the_parent(kind, args):
    error = kind(*args)
    batches = iter(DataLoader(broken(error), batch_size=2, num_workers=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(Exception) as ours:
        next(batches)
    assert next(batches).tolist() == [4, 5]  # the others go on

    try:
        raise error
    except kind:  # what torch's workers do with it
        wrapped = torch._utils.ExceptionWrapper(where="in DataLoader worker process 1")
    with pytest.raises(Exception) as theirs:
        wrapped.reraise()
    assert type(ours.value) is type(theirs.value)
    ours, theirs = str(ours.value).splitlines(), str(theirs.value).splitlines()
    assert ours[:2] == theirs[:2] and ours[-1] == theirs[-1]
    assert ours[0] == f"Caught {kind.__name__} in DataLoader worker process 1."
    assert "in __getitem__" in "".join(ours)
    error.with_traceback(None)  # its frames hold the iterator


def test_an_exception_of_a_local_type():
    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match="Caught Local in DataLoader worker process 0"):
        list(DataLoader(broken(Local("here"), at=0), num_workers=1))


def test_a_batch_that_cannot_be_pickled():
    loader = DataLoader(Calls(lambda i: threading.Lock()), collate_fn=list, num_workers=1)
    with pytest.raises(TypeError, match="Caught TypeError in DataLoader worker process 0"):
        next(iter(loader))


def test_a_tensor_with_a_graph_says_so():
    loader = DataLoader(Calls(lambda i: minitorch2.ones(2, requires_grad=True) * 2), num_workers=1)
    with pytest.raises(RuntimeError, match="detach"):
        next(iter(loader))


def test_an_exception_in_worker_init_fn():
    def init(worker):
        raise OSError(f"worker {worker} has no disk")

    with pytest.raises(OSError, match="worker 0 has no disk"):
        next(iter(DataLoader(Calls(int), num_workers=2, worker_init_fn=init)))


def test_an_exception_when_the_stream_begins():
    class Stream(IterableDataset):
        def __iter__(self):
            raise OSError("no stream")

    with pytest.raises(OSError, match="no stream"):
        next(iter(DataLoader(Stream(), num_workers=1)))


def segfault():
    faulthandler.disable()  # pytest's would print where
    ctypes.string_at(0)


DEATHS = {
    "os._exit": (lambda: os._exit(3), "exit code 3"),
    "sys.exit": (lambda: sys.exit(1), "exit code 1"),
    "SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), "killed by SIGTERM"),
    "segfault": (segfault, "killed by SIGSEGV"),
}


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("name", DEATHS)
def test_a_worker_that_dies(name, persistent):
    die, words = DEATHS[name]
    loader = DataLoader(Calls(lambda i: die() if i == 5 else i), num_workers=2, persistent_workers=persistent)
    start, before = time.monotonic(), children()
    batches = iter(loader)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly") as caught:
        list(batches)
    assert time.monotonic() - start < 3
    assert words in str(caught.value.__cause__)
    assert children() == before
    with pytest.raises(RuntimeError, match="exited unexpectedly"):  # it does not end as if all were done
        next(batches)
    if persistent:  # a new pass starts new workers
        assert next(iter(loader)).tolist() == [0]


def test_a_dead_worker_whose_child_lives_on(monkeypatch):
    """The child holds the worker's socket open, which hides its end; a look at the process shows it."""
    monkeypatch.setattr(parallel, "_CHECK_INTERVAL", 0.3)

    def leave_a_child(i):
        if os.fork():
            os._exit(1)
        time.sleep(2)
        os._exit(0)

    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(DataLoader(Calls(leave_a_child), num_workers=1))


def test_killed_from_outside_while_idle():
    loader = DataLoader(Calls(int, 100), num_workers=2, persistent_workers=True)
    before = children()
    list(loader)
    for pid in children() - before:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: not alive(pid), 2)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    assert len(list(loader)) == 100


def test_timeout():
    for lib in (minitorch2, torch):
        slow = Calls(lambda i: time.sleep(1) or i)
        loader = lib.utils.data.DataLoader(slow, num_workers=1, timeout=0.1)
        start = time.monotonic()
        batches = iter(loader)
        with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.1 seconds"):
            next(batches)
        assert time.monotonic() - start < 1
        del batches


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_start_methods_agree_with_fork(method):
    def batches(method):
        minitorch2.manual_seed(1)
        loader = DataLoader(Reports(), None, True, num_workers=2, multiprocessing_context=method, collate_fn=dict)
        assert loader.multiprocessing_context.get_start_method() == method
        return [{**batch, "array": batch["array"].tolist()} for batch in loader]

    assert batches(method) == batches("fork")


def test_spawn_says_what_could_not_be_pickled():
    loader = DataLoader(Calls(lambda i: i), num_workers=1, multiprocessing_context="spawn")
    with pytest.raises(Exception, match="lambda") as caught:
        iter(loader)
    assert "start method 'spawn' pickles dataset" in caught.value.__notes__[0]
    wait_until(lambda: all(map(is_server, children())), 10)  # spawn may have started its tracker, a copy of us at first


def test_worker_info():
    def facts(i):
        info = get_worker_info()
        return info.id, info.num_workers, info.seed, info.dataset is dataset, os.getpid()

    dataset = Calls(facts)
    minitorch2.manual_seed(0)
    torch.manual_seed(0)
    base_seed = torch.empty((), dtype=torch.int64).random_().item()
    loader = DataLoader(dataset, None, num_workers=2, collate_fn=tuple)
    seen = [(id, n, seed - base_seed, same) for id, n, seed, same, pid in loader]
    assert seen == [(0, 2, 0, True), (1, 2, 1, True)] * 4
    assert get_worker_info() is None


def test_one_thread_in_workers():
    from minitorch2_kernels.cpu import blas, pool

    if not blas.controllable:
        pytest.skip("this NumPy's BLAS does not say how many threads it uses")
    before = blas.get_threads(), pool.get_num_threads()
    loader = DataLoader(Calls(lambda i: (blas.get_threads(), pool.get_num_threads())), None, num_workers=1)
    assert [list(threads) for threads in loader] == [[1, 1]] * 8
    assert (blas.get_threads(), pool.get_num_threads()) == before


@pytest.mark.parametrize("size", [0, 1, 1000, transport.INLINE, 3_000_000])
def test_arrays_of_all_sizes(size):
    """By socket and by shared memory; what arrives is aligned, writable and nobody else's."""

    def sample(i):
        return np.full(size, i, np.uint8), np.arange(2.0 * i), minitorch2.full((3, 2), i).T, "x" * size

    loader = DataLoader(Calls(sample), None, num_workers=2, collate_fn=tuple)
    for i, (array, odd, tensor, text) in enumerate(loader):
        assert (array == i).all() and len(array) == len(text) == size
        assert (odd == np.arange(2.0 * i)).all() and tensor.shape == (2, 3) and (tensor == i).all()
        assert array.flags.writeable and odd.flags.aligned
        array[:] = 9


def test_kept_batches_hold_no_descriptors():
    loader = DataLoader(Calls(lambda i: np.zeros(30_000), 40), num_workers=2)
    before = len(os.listdir("/proc/self/fd"))
    batches = list(loader)
    assert len(os.listdir("/proc/self/fd")) <= before and len(batches) == 40


def test_large_tasks_and_large_batches_do_not_block_each_other():
    """Both directions exceed what the socket takes; neither side may wait for the other."""
    index = list(range(50_000))
    loader = DataLoader(
        Calls(lambda i: i),
        batch_sampler=[index] * 12,
        num_workers=1,
        prefetch_factor=6,
        collate_fn=lambda samples: samples,
    )
    assert all(batch == index for batch in loader)


@pytest.mark.parametrize("end", ["break", "collected", "exception", "exhausted", "nested"])
def test_workers_go_with_the_iterator(end):
    loader = DataLoader(Calls(int, 100), num_workers=2)
    before = children()
    if end == "break":
        for _ in loader:
            assert len(children() - before) == 2
            break
    elif end == "collected":
        batches = iter(loader)
        next(batches)
        del batches
    elif end == "exception":
        with pytest.raises(ZeroDivisionError):
            for _ in loader:
                raise ZeroDivisionError
    elif end == "nested":
        for outer in itertools.islice(loader, 3):
            assert [inner.item() for inner in itertools.islice(loader, 2)] == [0, 1]
            assert outer < 3
    else:
        batches = iter(loader)
        assert len(list(batches)) == 100
        assert children() == before  # at once, not when the iterator is collected
    assert children() == before


def test_persistent_workers_stay_until_the_loader_goes():
    loader = DataLoader(Calls(lambda i: os.getpid(), 4), num_workers=2, persistent_workers=True)
    before = children()
    first, second = ({pid.item() for pid in loader} for _ in range(2))
    assert first == second == children() - before
    del loader
    assert children() == before


def test_a_slow_worker_is_not_waited_for_longer_than_it_needs():
    loader = DataLoader(Calls(lambda i: time.sleep(0.3 * i) or i), num_workers=1)
    start = time.monotonic()
    next(iter(loader))
    assert time.monotonic() - start < 2


def test_in_a_thread():
    results = []
    thread = threading.Thread(
        target=lambda: results.extend(batch.item() for batch in DataLoader(Calls(int), num_workers=2))
    )
    thread.start()
    thread.join()
    assert results == list(range(8))


def test_a_fork_that_inherits_the_iterator_leaves_the_workers_alone():
    batches = iter(DataLoader(Calls(int), num_workers=1))
    pid = os.fork()
    if not pid:
        batches._close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(batches)) == 8


SCRIPT = """
import os, signal, sys, time
import numpy as np
from minitorch2.utils.data import DataLoader

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored

class Slow:
    def __len__(self):
        return 1000

    def __getitem__(self, i):
        if i >= 2:
            time.sleep({sleep})
        return np.array(os.getpid())

if __name__ == "__main__":
    options = dict(multiprocessing_context="{method}", persistent_workers={persistent})
    loader = DataLoader(Slow(), num_workers=2, **options)
    batches = iter(loader)
    print(next(batches).item(), next(batches).item(), flush=True)
    {then}
"""


@contextlib.contextmanager
def running_script(folder, then, method="fork", sleep=0.05, persistent=False):
    path = folder / "script.py"
    path.write_text(SCRIPT.format(sleep=sleep, method=method, then=then, persistent=persistent))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, str(path)], env=environment, start_new_session=True, **pipes)
    with process:
        try:
            workers = [int(pid) for pid in process.stdout.readline().split()]
            assert len(workers) == 2, process.communicate()[1]
            yield process, workers
        finally:
            process.kill()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("sleep", [0.05, 60], ids=["between samples", "inside one"])
def test_workers_die_with_a_killed_parent(tmp_path, method, sleep):
    with running_script(tmp_path, "time.sleep(60)", method, sleep) as (_, workers):
        assert all(map(alive, workers))
    wait_until(lambda: not any(map(alive, workers)), 3)


@pytest.mark.parametrize("waiting", ["list(batches)", "time.sleep(60)", "for _ in range(9999): next(iter(loader))"])
def test_ctrl_c_leaves_no_process_and_one_traceback(tmp_path, waiting):
    with running_script(tmp_path, waiting, sleep=0.2) as (process, workers):
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does: to all of the group
        _, errors = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert not any(map(alive, workers))


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("then, code", [("pass", 0), ("sys.exit(4)", 4)])
def test_the_interpreter_exits_in_the_middle_of_a_pass(tmp_path, then, code, persistent):
    with running_script(tmp_path, then, persistent=persistent) as (process, workers):
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (code, "")
    assert not any(map(alive, workers))
