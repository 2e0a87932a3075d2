"""torch.cuda without a GPU, on the stand-in for CuPy (no GPU code runs), and, marked gpu, on a real one."""

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from on_gpu import REAL, gpu

import minitorch2 as mt

pytestmark = [pytest.mark.gpu] if REAL else []  # where there is a GPU, `-m gpu` runs all of this
ROOT = Path(__file__).resolve().parent.parent
only_standin = pytest.mark.skipif(REAL, reason="a GPU is here")


@pytest.fixture
def cuda():
    with gpu():
        yield mt.cuda


ANSWERS = """
import minitorch2 as mt
assert mt.cuda.is_available() is False
assert mt.cuda.device_count() == 0
assert mt.cuda.is_initialized() is False
assert mt.cuda.is_current_stream_capturing() is False
assert mt.cuda.is_bf16_supported() is False
assert (mt.cuda.memory_allocated(), mt.cuda.max_memory_allocated(), mt.cuda.memory_reserved()) == (0, 0, 0)
assert (mt.cuda.max_memory_reserved(), mt.cuda.memory_stats(), mt.cuda.get_arch_list()) == (0, {}, [])
assert mt.cuda.is_tf32_supported() is False
assert "Allocated memory" in mt.cuda.memory_summary()
mt.cuda.empty_cache()
mt.cuda.manual_seed(1)
mt.cuda.manual_seed_all(2)
mt.cuda.seed()
mt.cuda.seed_all()
assert mt.cuda.get_rng_state_all() == []
for name in (
    "current_device", "init", "synchronize", "current_stream", "default_stream", "get_device_name", "Stream",
    "get_device_properties", "get_device_capability", "mem_get_info", "reset_peak_memory_stats", "initial_seed",
    "get_rng_state", "graph_pool_handle", "ipc_collect", "reset_accumulated_memory_stats",
    "get_per_process_memory_fraction",
):
    try:
        getattr(mt.cuda, name)()
    except RuntimeError as error:
        assert "pip install 'minitorch2[cuda]'" in str(error) or "NVIDIA driver" in str(error), error
    else:
        raise AssertionError(name)
for call in (
    lambda: mt.cuda.set_device(0), lambda: mt.cuda.device(0), lambda: mt.cuda.capture_step(print),
    lambda: mt.cuda.graph(mt.cuda.CUDAGraph()), lambda: mt.cuda.Event().record(),
    lambda: mt.cuda.set_per_process_memory_fraction(0.5),
):
    try:
        call()
    except RuntimeError as error:
        assert "minitorch2[cuda]" in str(error) or "NVIDIA driver" in str(error), error
    else:
        raise AssertionError("no error")
with mt.cuda.device(-1), mt.cuda.device(None), mt.cuda.device_of(mt.ones(2)), mt.cuda.stream(None):
    mt.cuda.set_device(-1)
"""


@only_standin
def test_without_a_gpu():
    """In a process of its own: nothing has used a GPU, or what stands in for one, before."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "kernels")))
    subprocess.run([sys.executable, "-c", ANSWERS], check=True, env=os.environ | {"PYTHONPATH": path})


def test_names_that_are_missing():
    with pytest.raises(AttributeError, match=r"minitorch2\.cuda\.nccl is not supported"):
        mt.cuda.nccl  # noqa: B018


def test_device_queries(cuda):
    assert cuda.is_available()
    assert cuda.device_count() >= 1
    assert cuda.current_device() == 0
    assert cuda.is_initialized()
    properties = cuda.get_device_properties("cuda:0")
    assert cuda.get_device_name(0) == properties.name
    assert cuda.get_device_capability(mt.device("cuda")) == (properties.major, properties.minor)
    assert "total_memory=" in repr(properties)
    assert cuda.is_bf16_supported()
    cuda.synchronize()
    cuda.set_device("cuda:0")
    with cuda.device(0), cuda.device_of(mt.ones(2, device="cuda")):
        assert cuda.current_device() == 0
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.synchronize("cpu")
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        cuda.set_device(1000)


def test_streams(cuda):
    stream = cuda.Stream()
    assert cuda.current_stream() == cuda.default_stream() != stream
    assert cuda.default_stream().cuda_stream == 0
    with cuda.stream(stream):
        assert cuda.current_stream() == stream
        with cuda.stream(None):
            assert cuda.current_stream() == stream
        x = mt.ones(1000, device="cuda") * 2
    assert cuda.current_stream() == cuda.default_stream()
    cuda.current_stream().wait_stream(stream)
    assert x.sum().item() == 2000
    stream.synchronize()
    assert stream.query()
    assert stream.device == mt.device("cuda:0")
    assert len({stream, cuda.default_stream(), cuda.current_stream()}) == 2
    cuda.set_stream(stream)
    assert cuda.current_stream() == stream
    cuda.set_stream(cuda.default_stream())
    assert cuda.current_stream() == cuda.default_stream()


def test_events(cuda):
    start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    assert start.query()
    with pytest.raises(ValueError, match="Both events must be recorded"):
        start.elapsed_time(end)
    start.record()
    mt.ones(100, device="cuda").exp()
    time.sleep(0.001)
    end.record()
    end.synchronize()
    assert start.elapsed_time(end) > 0
    plain = cuda.current_stream().record_event()
    plain.wait(cuda.Stream())
    with pytest.raises(ValueError, match="enable_timing=True"):
        plain.elapsed_time(end)
    with pytest.raises(NotImplementedError, match="interprocess"):
        cuda.Event(interprocess=True)


def test_seeds(cuda):
    cuda.manual_seed(7)
    assert cuda.initial_seed() == 7
    state = cuda.get_rng_state()
    assert state.shape == (16,)
    cuda.manual_seed_all(8)
    assert cuda.initial_seed() == 8
    cuda.set_rng_state(state)
    assert cuda.initial_seed() == 7
    states = cuda.get_rng_state_all()
    mt.manual_seed(9)
    assert cuda.initial_seed() == 9
    cuda.set_rng_state_all(states)
    assert cuda.initial_seed() == 7
    cuda.seed()
    cuda.seed_all()
    assert cuda.initial_seed() != 7


def test_memory(cuda):
    import cupy

    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_allocated()
    block = cupy.cuda.alloc(1 << 20)
    assert cuda.memory_allocated() == before + (1 << 20)
    del block
    assert cuda.memory_allocated() == before
    assert cuda.max_memory_allocated() == before + (1 << 20)
    assert cuda.memory_reserved() >= before + (1 << 20)
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    cuda.empty_cache()
    free, total = cuda.mem_get_info()
    assert 0 < free <= total == cuda.get_device_properties().total_memory


def test_memory_stats(cuda):
    import cupy

    gc.collect()
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_reserved()
    block = cupy.cuda.alloc(1 << 22)
    used = cuda.memory_allocated()
    del block
    cuda.empty_cache()
    stats = cuda.memory_stats()
    assert stats["allocated_bytes.all.current"] == used - (1 << 22)
    assert stats["allocated_bytes.all.peak"] == used
    assert stats["reserved_bytes.all.current"] == cuda.memory_reserved() <= before
    assert stats["reserved_bytes.all.peak"] == cuda.max_memory_reserved() >= max(used, 1 << 22)
    cuda.reset_accumulated_memory_stats()
    with pytest.raises(cuda.OutOfMemoryError):
        cupy.cuda.alloc(1 << 45)
    assert cuda.memory_stats()["num_ooms"] == 1
    cuda.reset_accumulated_memory_stats()
    assert cuda.memory_stats(0)["num_ooms"] == 0
    lines = cuda.memory_summary().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert any("GPU reserved memory" in line for line in lines)
    assert cuda.ipc_collect() is None
    assert cuda.get_arch_list() == ["sm_{}{}".format(*cuda.get_device_capability())]


def test_older_names(cuda):
    """With the warnings that torch gives, too."""
    for name in ("memory_cached", "max_memory_cached", "reset_max_memory_allocated", "reset_max_memory_cached"):
        with pytest.warns(FutureWarning, match=f"torch.cuda.{name}"):
            getattr(cuda, name)()


def test_part_of_the_memory(cuda):
    import cupy

    for wrong, error in ((1, TypeError), (1.5, ValueError), (-0.5, ValueError)):
        with pytest.raises(error):
            cuda.set_per_process_memory_fraction(wrong)
    cuda.empty_cache()
    try:
        cuda.set_per_process_memory_fraction(0.25)
        assert cuda.get_per_process_memory_fraction() == pytest.approx(0.25)
        with pytest.raises(cuda.OutOfMemoryError):
            cupy.cuda.alloc(cuda.get_device_properties().total_memory // 2)
        cupy.cuda.alloc(1 << 10)
    finally:
        cuda.set_per_process_memory_fraction(1.0)
    assert cuda.get_per_process_memory_fraction() == 1.0


def test_out_of_memory(cuda):
    import cupy

    with pytest.raises(mt.cuda.OutOfMemoryError) as caught:
        cupy.cuda.alloc(1 << 45)
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value).startswith(
        "CUDA out of memory. Tried to allocate 32768.00 GiB. GPU 0 has a total capacity of"
    )
    cupy.cuda.alloc(1 << 10)  # and it goes on


def test_private_pool_gives_nothing_back(cuda):
    """A pool that runs out frees what it keeps; a graph's must not, its kernels use it."""
    import cupy

    pool = cuda.graph_pool_handle()
    with cupy.cuda.using_allocator(pool.malloc):
        block = cupy.cuda.alloc(1 << 20)
        address = block.ptr
        del block
        with pytest.raises(mt.cuda.OutOfMemoryError):
            cupy.cuda.alloc(1 << 45)
        cuda.empty_cache()
        assert pool.pool.total_bytes() == 1 << 20
        assert cupy.cuda.alloc(1 << 20).ptr == address
    reserved = cuda.memory_reserved()
    del pool
    gc.collect()
    assert cuda.memory_reserved() == reserved - (1 << 20)


def test_graph_outside_its_order(cuda):
    graph = cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match="replay without a preceding successful capture"):
        graph.replay()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        graph.pool()
    with pytest.raises(RuntimeError, match="must be captured on a non-default stream"):
        graph.capture_begin()
    with pytest.raises(RuntimeError, match="without a capture_begin"):
        graph.capture_end()
    with pytest.raises(NotImplementedError, match="capture_error_mode"):
        graph.capture_begin(capture_error_mode="global")
    x = mt.ones(3, device="cuda")
    x.mul(2)  # warm-up
    with cuda.graph(graph):
        assert cuda.is_current_stream_capturing()
        y = x.mul(2)
        with pytest.raises(RuntimeError, match="in progress"):
            cuda.CUDAGraph().capture_begin()
    assert not cuda.is_current_stream_capturing()
    with pytest.raises(RuntimeError, match="already owns a captured graph"), cuda.stream(cuda.Stream()):
        graph.capture_begin()
    graph.replay()
    np.testing.assert_array_equal(y.cpu().numpy(), [2, 2, 2])
    pool = graph.pool()
    with cuda.graph(other := cuda.CUDAGraph(), pool=pool):
        x.mul(3)
    assert other.pool() is pool
    graph.reset()
    with pytest.raises(RuntimeError, match="replay without"):
        graph.replay()


def host_item(x):
    return x.sum().item()


def host_print(x):
    return repr(x)


def host_branch(x):
    return 1 if x.sum() > 0 else 2


def host_nonzero(x):
    return mt.nonzero(x)


def host_mask(x):
    return x[x > 0]


def host_tensor(x):
    return x + mt.tensor([1.0, 2.0, 3.0], device="cuda")


def host_cpu(x):
    return x.cpu()


def host_numpy(x):
    return x.tolist()


FORBIDDEN = {
    host_item: "`item`",
    host_print: "printing a tensor",
    host_branch: "a tensor as a truth value",
    host_nonzero: "`nonzero`",
    host_mask: "indexing",
    host_tensor: "`tensor`",
    host_cpu: "`cpu`",
    host_numpy: "`tolist`",
}


@pytest.mark.parametrize("function", FORBIDDEN, ids=lambda f: f.__name__)
def test_what_cannot_be_captured_is_named(cuda, function):
    """By the name the program calls it, with the place; stream and memory are as before, and the next capture works."""
    x = mt.ones(3, device="cuda")
    function(x)
    graph, stream = cuda.CUDAGraph(), cuda.current_stream()
    with pytest.raises(RuntimeError, match="cannot be captured in a CUDA graph") as caught, cuda.graph(graph):
        x.mul(2)
        function(x)
    assert FORBIDDEN[function] in str(caught.value), str(caught.value)
    assert f"{__file__}:" in str(caught.value)
    assert cuda.current_stream() == stream
    assert not cuda.is_current_stream_capturing()
    with pytest.raises(RuntimeError, match="without a preceding"):
        graph.replay()
    assert function(x) is not None
    with cuda.graph(graph):
        x.mul(2)
    graph.replay()


def test_other_errors_pass(cuda):
    graph, x = cuda.CUDAGraph(), mt.ones(3, device="cuda")
    with pytest.raises(KeyError), cuda.graph(graph):
        x.mul(2)
        {}["missing"]
    assert not cuda.is_current_stream_capturing()
    with pytest.raises(RuntimeError, match="size of tensor"), cuda.graph(graph):
        x + mt.ones(2, device="cuda")


def test_a_thread_has_a_capture_of_its_own(cuda):
    found = []
    x = mt.ones(3, device="cuda")
    with cuda.graph(cuda.CUDAGraph()):
        x.mul(2)
        if not REAL:  # the stand-in has one stack of streams for all threads
            return
        thread = threading.Thread(target=lambda: found.append(cuda.is_current_stream_capturing()))
        thread.start()
        thread.join()
    assert found == [False]


def test_torch_has_these_names():
    """What is offered is torch's, but for capture_step."""
    ours = {name for name in vars(mt.cuda) if not name.startswith("_")}
    modules = {name for name in ours if type(getattr(mt.cuda, name)) is type(mt)} | {"annotations"}
    assert ours - modules - set(dir(torch.cuda)) == {"CapturedStep", "capture_step"}
