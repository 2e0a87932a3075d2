"""cuDNN as the provider of convolutions on a GPU: what it is asked for, what it computes, and when it is not asked.

Without a GPU cuDNN is a stand-in (cudnn_standin.py) that computes with the references what the graphs it is given say:
no GPU code runs. Where there are a GPU and cuDNN, the tests of values run with it (`-m gpu`).
"""

import importlib.util
import sys
import threading

import cudnn_standin
import numpy as np
import pytest
import torch
from cudnn_standin import proposal
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_draws import Draw
from on_gpu import REAL, gpu, host
from test_kernels import CASES

import minitorch2 as mt
from minitorch2 import nn
from minitorch2.nn import functional as F
from minitorch2_kernels import KERNELS, cudnn_switches, dispatch
from minitorch2_kernels.reference.cast import BFLOAT16, cast

FOUND = importlib.util.find_spec("cudnn") is not None
pytestmark = [pytest.mark.gpu] if REAL else []
only_standin = pytest.mark.skipif(REAL, reason="a GPU is here: see the tests marked gpu")
needs_cudnn = pytest.mark.skipif(REAL and not FOUND, reason="nvidia-cudnn-frontend is not installed")

NAMES = ("conv2d", "conv2d_input_grad", "conv2d_weight_grad")
DTYPES = {"float32": np.dtype(np.float32), "float16": np.dtype(np.float16)}
DTYPES["bfloat16"] = BFLOAT16
# In units of the largest value. The order of summation (cuDNN's Winograd too), and one rounding to the dtype.
TOLERANCE = {"float32": 3e-5, "float16": 1e-3, "bfloat16": 8e-3}

# N, C, H, W, O, KH, KW, strides, paddings, dilations, groups
SHAPES = {
    "3x3": (4, 8, 12, 12, 16, 3, 3, (1, 1), (1, 1), (1, 1), 1),
    "strided, uneven": (3, 5, 13, 11, 7, 3, 5, (2, 1), (1, 3), (1, 1), 1),
    "dilated": (2, 6, 15, 14, 4, 3, 3, (1, 2), (2, 0), (2, 3), 1),
    "places left over": (2, 4, 10, 11, 6, 3, 2, (4, 3), (0, 1), (1, 1), 1),
    "groups": (3, 12, 9, 8, 6, 3, 3, (1, 1), (1, 1), (1, 1), 3),
    "depthwise": (2, 10, 9, 9, 20, 3, 3, (2, 2), (1, 1), (1, 1), 10),
    "pointwise": (3, 16, 7, 7, 8, 1, 1, (1, 1), (0, 0), (1, 1), 1),
    "pointwise, strided": (3, 16, 7, 8, 8, 1, 1, (2, 2), (0, 0), (1, 1), 1),
    "more padding than window": (2, 3, 5, 5, 4, 2, 2, (1, 1), (3, 3), (1, 1), 1),
    "one row": (4, 6, 1, 40, 8, 1, 9, (1, 2), (0, 4), (1, 1), 1),
    "one place": (5, 8, 4, 4, 16, 4, 4, (1, 1), (0, 0), (1, 1), 1),
    "first layer": (2, 3, 33, 31, 8, 7, 7, (2, 2), (3, 3), (1, 1), 1),
}


def call(name, shape):
    """The arguments of this kernel, arrays float64 on the CPU."""
    n, c, h, w, o, kh, kw, stride, padding, dilation, groups = SHAPES[shape]
    out = [(s + 2 * p - d * (k - 1) - 1) // t + 1 for s, k, t, p, d in
           zip((h, w), (kh, kw), stride, padding, dilation, strict=True)]  # fmt: skip
    draw = np.random.default_rng(len(shape)).standard_normal
    x, weight, g = draw((n, c, h, w)), draw((o, c // groups, kh, kw)), draw((n, o, *out))
    arrays = {"conv2d": (x, weight), "conv2d_input_grad": (g, weight, (h, w)), "conv2d_weight_grad": (g, x, (kh, kw))}
    return (*arrays[name], stride, padding, dilation, groups)


def on_device(args, dtype):
    cupy = sys.modules["cupy"]
    return tuple(cupy.asarray(cast(a, dtype)) if isinstance(a, np.ndarray) else a for a in args)


def widened(args, dtype):
    return tuple(cast(cast(a, dtype), np.float64) if isinstance(a, np.ndarray) else a for a in args)


def check(name, args, dtype_name, device_args=None):
    """The kernel on the device is what the reference computes of the same numbers in float64."""
    dtype = DTYPES[dtype_name]
    expected = KERNELS[name].reference(*widened(args, dtype))
    found = KERNELS[name](*(device_args or on_device(args, dtype)))
    assert found.dtype == dtype and found.shape == expected.shape and found.flags.c_contiguous
    difference = np.abs(cast(host(found), np.float64) - expected).max()
    assert difference <= TOLERANCE[dtype_name] * max(1.0, np.abs(expected).max())


@pytest.fixture(autouse=True)
def cuda():
    with gpu():
        yield


@pytest.fixture
def cudnn(cuda):
    """cuDNN's frontend, or its stand-in."""
    if REAL:
        from minitorch2_kernels.cuda import cudnn as ours

        if ours.frontend() is None:
            pytest.skip("cuDNN cannot be loaded")
    with cudnn_standin.installed(sys.modules.get("cudnn") if REAL else None) as module:
        yield module


@needs_cudnn
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_values(cudnn, name, shape, dtype):
    from minitorch2_kernels.cuda import cudnn as ours

    check(name, call(name, shape), dtype)
    (plan,) = ours.handle().plans.values()
    assert plan is not None, ours.handle().refusals  # it was cuDNN that computed it


@only_standin
@settings(max_examples=25)
@given(data=st.data())
def test_drawn(data):
    draw = Draw(data.draw)
    draw.dtype = "float32"
    name = draw.of(*NAMES)
    args = CASES[name][0](draw)
    with cudnn_standin.installed() as cudnn:
        check(name, args, "float32")
        assert len(cudnn.ran) == 1


@only_standin
def test_the_graph(cudnn):
    check("conv2d", call("conv2d", "strided, uneven"), "float16")
    check("conv2d_input_grad", call("conv2d_input_grad", "places left over"), "bfloat16")
    check("conv2d_weight_grad", call("conv2d_weight_grad", "groups"), "float32")
    forward, input_grad, weight_grad = cudnn.graphs
    image, weight = forward.inputs
    assert (image.dim, image.stride, image.data_type) == ([3, 5, 13, 11], [715, 143, 11, 1], "HALF")
    assert (weight.dim, weight.stride) == ([7, 5, 3, 5], [75, 15, 5, 1])
    assert (forward.result.dim, forward.result.stride) == ([3, 7, 7, 13], [637, 91, 13, 1])
    assert forward.window == ((2, 1), (1, 3), (1, 1))
    assert (forward.io, forward.sums, forward.limit) == ("HALF", "FLOAT", 2 << 30)
    assert (input_grad.io, input_grad.sums, input_grad.result.dim) == ("BFLOAT16", "FLOAT", [2, 4, 10, 11])
    assert (weight_grad.io, weight_grad.sums, weight_grad.result.dim) == ("FLOAT", "FLOAT", [6, 4, 3, 3])


@only_standin
def test_plans_are_kept(cudnn):
    args = on_device(call("conv2d", "3x3"), DTYPES["float32"])
    for _ in range(3):
        check("conv2d", call("conv2d", "3x3"), "float32", args)
    assert len(cudnn.graphs) == 1 and cudnn.built == ["atomics"] and cudnn.ran == ["atomics"] * 3
    check("conv2d", call("conv2d", "3x3"), "float16")
    check("conv2d", call("conv2d", "pointwise"), "float32")
    assert len(cudnn.graphs) == 3


@only_standin
def test_what_plans_may_do(cudnn):
    backends = mt.backends.cudnn
    args = call("conv2d", "3x3")
    with backends.flags(enabled=True, allow_tf32=True):
        check("conv2d", args, "float32")
    with backends.flags(enabled=True, allow_tf32=False):
        check("conv2d", args, "float32")
        check("conv2d", args, "float16")  # no TF32 in it
    with backends.flags(enabled=True, allow_tf32=False, deterministic=True):
        check("conv2d", args, "float32")
    mt.use_deterministic_algorithms(True)
    try:
        check("conv2d", args, "float32")
    finally:
        mt.use_deterministic_algorithms(False)
    assert cudnn.ran == ["tensor cores", "atomics", "tensor cores", "plain", "plain"]
    with backends.flags(enabled=False):
        check("conv2d", args, "float32")
    assert len(cudnn.ran) == 5


@only_standin
def test_no_sums_in_half_precision(cudnn):
    cudnn.proposals = (proposal("a", ["REDUCED_PRECISION_REDUCTION"]), proposal("b", ["DOWN_CONVERT_INPUTS"]))
    check("conv2d", call("conv2d", "3x3"), "float16")
    assert not cudnn.ran


@only_standin
def test_plans_that_fail(cudnn, monkeypatch):
    from minitorch2_kernels.cuda import cudnn as ours

    monkeypatch.setattr(ours, "WORKSPACE", 1 << 20)
    cudnn.proposals = (
        proposal("too large", workspace=1 << 30),
        proposal("does not build", builds=False),
        proposal("does not run", runs=False),
        proposal("good", workspace=1 << 10),
    )
    for _ in range(2):
        check("conv2d", call("conv2d", "3x3"), "float32")
    assert cudnn.ran == ["good", "good"] and cudnn.built == ["does not run", "good"]


@only_standin
def test_refusals_are_remembered(cudnn):
    from minitorch2_kernels.cuda import cudnn as ours

    cudnn.unsupported.add(((1, 2), (2, 0), (2, 3)))
    for name in NAMES:
        for _ in range(2):
            check(name, call(name, "dilated"), "float32")
    assert len(cudnn.graphs) == 3 and not cudnn.ran
    assert set(ours.handle().refusals.values()) == {"no engine for this window"}
    cudnn.proposals = ()
    for _ in range(2):
        check("conv2d", call("conv2d", "3x3"), "float32")
    assert len(cudnn.graphs) == 4 and not cudnn.ran


@only_standin
def test_benchmark_keeps_the_fastest(cudnn):
    cudnn.proposals = (
        proposal("slow", seconds=0.02),
        proposal("does not build", builds=False),
        proposal("fast"),
        proposal("slower", seconds=0.03, workspace=64),
        proposal("fastest, but the fifth"),
    )
    args = call("conv2d_input_grad", "groups")
    with mt.backends.cudnn.flags(enabled=True, benchmark=True, benchmark_limit=3):
        check("conv2d_input_grad", args, "float32")
        assert cudnn.ran[-1] == "fast" and "fastest, but the fifth" not in cudnn.ran
        cudnn.ran.clear()
        check("conv2d_input_grad", args, "float32")
    assert cudnn.ran == ["fast"]
    check("conv2d_input_grad", args, "float32")  # without benchmark: the first again
    assert cudnn.ran == ["fast", "slow"]
    with mt.backends.cudnn.flags(enabled=True, benchmark=True, benchmark_limit=0):
        cudnn.ran.clear()
        check("conv2d_input_grad", call("conv2d_input_grad", "3x3"), "float32")
    assert "fastest, but the fifth" in cudnn.ran


@only_standin
def test_no_room_for_the_workspace(cudnn, monkeypatch):
    from minitorch2_kernels.out_of_memory import OutOfMemoryError

    cudnn.proposals = (proposal("needs memory", workspace=64),)
    args = call("conv2d", "3x3")
    check("conv2d", args, "float32")

    def full(size):
        raise OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(sys.modules["cupy"].cuda, "alloc", full)
    check("conv2d", args, "float32")
    assert len(cudnn.ran) == 1


@needs_cudnn
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_views(cudnn, dtype):
    """Arrays with gaps, and such as begin where cuDNN expects none to begin."""
    cupy, dtype_ = sys.modules["cupy"], DTYPES[dtype]
    x, w, *rest = call("conv2d", "3x3")
    transposed = on_device((np.ascontiguousarray(x.swapaxes(2, 3)),), dtype_)[0].swapaxes(2, 3)
    (flat,) = on_device((np.concatenate([[0.0], w.ravel()]),), dtype_)
    shifted = flat[1:].reshape(w.shape)
    assert not transposed.flags.c_contiguous and shifted.data.ptr % 16
    check("conv2d", (x, w, *rest), dtype, (transposed, shifted, *rest))
    assert isinstance(transposed, cupy.ndarray)


@only_standin
def test_what_is_left_to_the_own_kernels(cudnn, monkeypatch):
    from minitorch2_kernels.cuda import conv, cudnn_conv

    monkeypatch.setattr(cudnn_conv, "SMALL", conv.SMALL)
    monkeypatch.setattr(cudnn_conv, "DEPTHWISE", False)
    for name in NAMES:
        check(name, call(name, "3x3"), "float32")
        check(name, call(name, "depthwise"), "float32")
    x, w = on_device((np.zeros((0, 8, 12, 12)), np.zeros((16, 8, 3, 3))), DTYPES["float32"])
    assert KERNELS["conv2d"](x, w, (1, 1), (1, 1), (1, 1), 1).shape == (0, 16, 12, 12)
    # the gradient of fewer places than there are, which no convolution has
    g, w = on_device((np.ones((2, 3, 4, 4)), np.ones((3, 5, 3, 3))), DTYPES["float32"])
    args = (g, w, (12, 12), (1, 1), (0, 0), (1, 1), 1)
    monkeypatch.setattr(cudnn_conv, "SMALL", 0)
    expected = KERNELS["conv2d_input_grad"].reference(host(g), host(w), *args[2:])
    np.testing.assert_allclose(host(KERNELS["conv2d_input_grad"](*args)), expected)
    with dispatch.use_reference():
        assert not cudnn.graphs


@only_standin
def test_each_thread_has_a_handle(cudnn):
    args = call("conv2d", "3x3")
    threads = [threading.Thread(target=check, args=("conv2d", args, "float32")) for _ in range(2)]
    check("conv2d", args, "float32")
    for thread in threads:
        thread.start()
        thread.join()
    assert len(cudnn.handles) in (2, 3)  # a thread takes over the handle of one that has ended
    assert len(cudnn.ran) == 3


def net():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.Flatten(), nn.Linear(24, 5)
    )


def train(device, captured=False, steps=6):
    mt.manual_seed(0)
    model = net().to(device)
    optimizer = mt.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = mt.randn(4, 2, 6, 6).to(device), mt.tensor([0, 1, 2, 3]).to(device)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = mt.cuda.capture_step(step) if captured else step
    losses = [step(x, y).item() for _ in range(steps)]
    assert not captured or step.graph is not None
    return losses


@needs_cudnn
@pytest.mark.parametrize("captured", [False, True])
def test_training(cudnn, captured):
    """Also as a captured graph: the launches of the plans that the steps before the capture have made."""
    expected = train("cpu")
    assert len(set(expected)) == len(expected)
    np.testing.assert_allclose(train("cuda", captured), expected, rtol=1e-4)
    if not REAL:
        assert len(cudnn.graphs) == 5  # the first layer has no gradient of its input
        assert len(cudnn.ran) >= 15


@needs_cudnn
def test_first_met_in_a_capture(cudnn):
    """No plan is built then: conv.py's kernels go into the graph."""
    from minitorch2_kernels.cuda import cudnn as ours

    mt.manual_seed(0)
    x, w = mt.randn(2, 3, 8, 8), mt.randn(4, 3, 3, 3)
    expected = F.conv2d(x, w).numpy()
    x, w = x.to("cuda"), w.to("cuda")
    with mt.backends.cudnn.flags(enabled=False):  # its kernels are compiled
        F.conv2d(x, w)
    graph = mt.cuda.CUDAGraph()
    before = len(ours.handle().plans)
    with mt.cuda.graph(graph):
        y = F.conv2d(x, w)
    assert len(ours.handle().plans) == before
    graph.replay()
    mt.cuda.synchronize()
    np.testing.assert_allclose(y.cpu().numpy(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(F.conv2d(x, w).cpu().numpy(), expected, rtol=1e-4, atol=1e-4)
    assert len(ours.handle().plans) == before + 1


@only_standin
def test_without_the_package():
    assert FOUND or not any("cudnn" in supports.__module__ for supports, _ in KERNELS["conv2d"].cuda_overrides)
    if not FOUND:
        assert mt.backends.cudnn.version() is None
        assert mt.backends.cudnn.is_available() is False
    check("conv2d", call("conv2d", "3x3"), "float32")


@only_standin
def test_without_the_library(cudnn):
    from minitorch2_kernels.cuda import cudnn as ours

    def missing():
        raise RuntimeError("Unable to find symbol cudnnGetVersion")

    ours.frontend.cache_clear()
    cudnn.backend_version = missing
    with pytest.warns(UserWarning, match="cuDNN cannot be used, .*pip install nvidia-cudnn-cu13 .*cudnnGetVersion"):
        check("conv2d", call("conv2d", "3x3"), "float32")
    check("conv2d", call("conv2d", "3x3"), "float32")
    assert mt.backends.cudnn.is_available() is False
    assert not cudnn.graphs


@only_standin
def test_cudnn_that_does_not_start(cudnn):
    cudnn.starts = False
    with pytest.raises(RuntimeError, match=r"cuDNN 91900 does not start: .*NOT_INITIALIZED.*enabled = False"):
        check("conv2d", call("conv2d", "3x3"), "float32")


@only_standin
def test_version(cudnn):
    assert mt.backends.cudnn.version() == 91900
    assert mt.backends.cudnn.is_available() is True


def test_switches():
    ours, theirs = mt.backends.cudnn, torch.backends.cudnn
    for name in ("enabled", "benchmark", "deterministic", "allow_tf32", "benchmark_limit"):
        if name != "benchmark_limit":  # None in a torch without cuDNN
            if name != "allow_tf32" or not REAL:  # which the tests on a GPU switch off
                assert getattr(ours, name) is getattr(theirs, name), name
            with pytest.raises(RuntimeError) as expected:
                setattr(theirs, name, 1)
            with pytest.raises(RuntimeError) as found:
                setattr(ours, name, 1)
            assert str(found.value) == str(expected.value)
    assert ours.benchmark_limit == 10
    allow_tf32 = ours.allow_tf32
    with ours.flags(enabled=True, benchmark=True, benchmark_limit=3, deterministic=True, allow_tf32=False):
        assert (cudnn_switches.benchmark, cudnn_switches.benchmark_limit) == (True, 3)
        assert ours.deterministic and not ours.allow_tf32
    assert (ours.enabled, ours.benchmark, ours.benchmark_limit) == (True, False, 10)
    assert not ours.deterministic and ours.allow_tf32 is allow_tf32


def test_the_frontend_has_what_is_called():
    """The names in NVIDIA's module, where it is installed; no GPU is needed for this."""
    cudnn = pytest.importorskip("cudnn")
    used = (name for name in vars(cudnn_standin.Graph) if not name.startswith("_"))
    assert [name for name in used if not hasattr(cudnn.pygraph, name)] == []
    assert [n for n in ("create_handle", "set_stream", "backend_version", "tensor") if not hasattr(cudnn, n)] == []
    assert [n for n in ("FLOAT", "DOUBLE", "HALF", "BFLOAT16") if not hasattr(cudnn.data_type, n)] == []
    assert [n for n in cudnn_standin.NOTES if not hasattr(cudnn.numerical_note, n)] == []
    assert [n for n in ("A", "FALLBACK") if not hasattr(cudnn.heur_mode, n)] == []
    assert issubclass(cudnn.cudnnGraphNotSupportedError, Exception)
    assert [n for n in vars(cudnn_standin.Tensor) if n.startswith("set_") and not hasattr(cudnn.tensor, n)] == []
