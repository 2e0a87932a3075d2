"""What all tests share: hypothesis profiles, threads under xdist, the GPU gate, the line on devices."""

import ctypes
import importlib
import os
import re
import sys
from importlib import metadata

import pytest
from hypothesis import HealthCheck, settings

# Two workers with a pool of threads each would fight over the cores. BLAS reads these when NumPy is first
# imported, which the test modules do after this line; a run without xdist keeps every thread.
IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ
CUPY_ON_CPU = "cupy_on_cpu"  # the module, imported where `--device cupy` is asked for
if IN_WORKER:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# `default` draws the same examples every time: a red run then means that the change broke something, not that
# this run happened to look elsewhere. Looking elsewhere is what `deep` is for: it draws anew each time by
# the thousand, and print_blob makes a failure end in the @reproduce_failure line that brings it back.
# No deadline in either: the time of one example on a shared machine says nothing about its correctness.
settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep",
    max_examples=3000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# A second run of tests that `default` has run: fewer, since each runs emulated kernels or waits for the GPU.
settings.register_profile("device", settings.get_profile("default"), max_examples=6)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# The modules that `--device cuda` runs: those on what tensors, layers, optimizers and distributions compute. The
# others read files, images, source code or clocks, or name their devices themselves.
ON_ANY_DEVICE = re.compile(
    r"test_(attention|autograd\w*|channels_last|checkpoint|checkpoint_errors|distributions|distributions_kl|func"
    r"|functional_\w+|half_numbers|init|layer_values|layers|lazy_modules|lbfgs|linalg|lu|module|module_hooks|nn_utils"
    r"|norms|ops_indexing|optim|optim_class|orthogonal|packing|parametrizations|prune|rnn|special|state_dict|strided"
    r"|strides|swa_utils|swap_tensors|tensor_methods|transformer)"
)
# Those that name the GPU themselves, which `--device cupy` runs beside them.
ON_A_GPU = re.compile(r"test_(\w+_on_gpu|on_gpu|amp\w*|captured_step|cuda_(gemm|half|indexing|module|philox|windows))")
# Those that `--tiny-blocks` runs beside them.
WITH_TINY_BLOCKS = re.compile(r"test_(one_liners|ops\w*|bridge_layers|inplace\w*)")


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        choices=("cpu", "cuda", "cupy"),
        default="cpu",
        help="cuda: run the tests of ON_ANY_DEVICE (conftest.py) with every tensor on the GPU, against torch on it; "
        "without a GPU on the stand-in for CuPy, against torch on the CPU. cupy: these, and those of ON_A_GPU, with "
        "CuPy itself, its kernels run by the CPU (cupy_on_cpu)",
    )
    parser.addoption(
        "--tiny-blocks",
        action="store_true",
        help="run the tests of ON_ANY_DEVICE and WITH_TINY_BLOCKS (conftest.py), small arrays computed as large ones",
    )


@pytest.fixture(autouse=True)
def device(request):
    """Where tensors are made that name no device."""
    if request.config.getoption("--device") == "cpu" or ON_ANY_DEVICE.fullmatch(request.path.stem) is None:
        yield
        return
    from on_gpu import everything_on_gpu

    with everything_on_gpu():
        yield


@pytest.fixture(autouse=True, scope="session")
def blocks(request):
    """How large an array is that is cut, shared and compiled for."""
    if not request.config.getoption("--tiny-blocks"):
        yield
        return
    from tiny_blocks import tiny_everywhere

    with pytest.MonkeyPatch.context() as patch:
        tiny_everywhere(patch)
        yield


def gpu_name() -> str | None:
    """The CUDA device's name, or None. CuPy imports happily without a driver, hence is_available(); where there is none
    it is not imported, so that the stand-in can take its place."""
    if CUPY_ON_CPU in sys.modules:
        return None
    try:
        ctypes.CDLL("libcuda.so.1" if sys.platform == "linux" else "nvcuda.dll")
        import cupy
    except (ImportError, OSError):
        return None
    if not cupy.is_available():
        return None
    return cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()


def pytest_configure(config):
    if config.getoption("--device") != "cpu" and "HYPOTHESIS_PROFILE" not in os.environ:
        settings.load_profile("device")
    if config.getoption("--device") == "cupy":
        importlib.import_module(CUPY_ON_CPU).install()
    if IN_WORKER:
        try:
            import torch
        except ImportError:  # test_layout and test_package run without torch
            return
        torch.set_num_threads(1)


def pytest_collection_modifyitems(config, items):
    name, tiny = config.getoption("--device"), config.getoption("--tiny-blocks")
    on_cuda = name != "cpu"
    if on_cuda or tiny:
        chosen = [ON_ANY_DEVICE, *([WITH_TINY_BLOCKS] if tiny else [ON_A_GPU] if name == "cupy" else [])]
        elsewhere = [item for item in items if not any(names.fullmatch(item.path.stem) for names in chosen)]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in set(elsewhere)]
    if on_cuda:
        for item in items:
            if (of_the_cpu := item.get_closest_marker("cpu")) is not None:
                item.add_marker(pytest.mark.skip(reason=of_the_cpu.args[0]))
    if name == "cupy":
        for item in items:
            if (of_the_standin := item.get_closest_marker("standin")) is not None:
                item.add_marker(pytest.mark.skip(reason=of_the_standin.args[0]))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and gpu_name() is None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device (or no CuPy) on this machine"))


def installed(*names):
    for name in names:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} not installed"


def device_line() -> str:
    name = gpu_name()
    if CUPY_ON_CPU in sys.modules:
        return "device: cpu (no GPU code ran; CuPy and its kernels ran on the CPU)"
    return f"device: cpu and cuda ({name})" if name else "device: cpu (no GPU code ran)"


def pytest_report_header(config):
    return [", ".join(installed("torch", "numpy")), device_line()]


def pytest_terminal_summary(terminalreporter):
    # The header scrolls away in a long run, and -q drops it; what was covered belongs beside the result.
    terminalreporter.write_line(device_line())
