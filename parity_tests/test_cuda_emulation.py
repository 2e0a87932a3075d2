"""The emulation of CUDA kernels finds the mistakes it is there for. No GPU code runs here."""

import os
import subprocess
import sys
from pathlib import Path

import cuda_emulation
import numpy as np
import pytest
from cuda_emulation import ORDERS, CompileException, RawModule, build, order
from cupy_standin import ndarray

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(not cuda_emulation.available(), reason="no C++ compiler")

SOURCE = r"""
#define N 64

// y[t] = x[N - 1 - t] through shared memory; without the barrier a thread may read what is not written yet
extern "C" __global__ void turned(const float* x, float* y) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];
#ifndef WITHOUT_BARRIER
    __syncthreads();
#endif
    y[threadIdx.x] = s[N - 1 - threadIdx.x];
}

__device__ float over_warp(float v) {
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
extern "C" __global__ void sums(const float* x, float* y) {
    float total = over_warp(x[threadIdx.x]), half = x[threadIdx.x];
    for (int o = 4; o; o >>= 1) half += __shfl_down_sync(0xffffffffu, half, o, 8);
    unsigned even = __ballot_sync(0xffffffffu, threadIdx.x % 2 == 0);
    y[threadIdx.x] = threadIdx.x % 8 ? total : half + (even == 0x55555555u ? 0 : 1000);
}

extern "C" __global__ void __launch_bounds__(64) stuck(float* y) {
    if (threadIdx.x < 7) __syncthreads();
    else __syncwarp();
    y[threadIdx.x] = 0;
}

extern "C" __global__ void leaves(float* y) {  // half the threads return before the barrier
    if (threadIdx.x >= 32) return;
    __syncthreads();
    y[threadIdx.x] = threadIdx.x;
}

extern "C" __global__ void unset(float* y) {
    DYN_SHARED(float, s);
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void beyond(const float* x, float* y, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i <= n; i += gridDim.x * blockDim.x) y[i] = x[i];
}

struct Pair { long long a; double b; };
extern "C" __global__ void takes(const float* x, double* y, int i, float f, Pair p, const void* any) {
    y[0] = i + f + p.a + p.b + (x ? x[0] : 0) + (any ? 1 : 0);
}
"""


def function(name, *options):
    return RawModule(code=SOURCE, options=options).get_function(name)


def array(n, dtype="float32"):
    return ndarray(np.arange(n, dtype=dtype))


def test_which_kernels_wait():
    """Only these need fibers: what waits is found through the functions that are called, and behind macros."""
    assert build.kernels(SOURCE) == {
        **dict.fromkeys(("turned", "sums", "stuck", "leaves"), True),
        **dict.fromkeys(("unset", "beyond", "takes"), False),
    }
    assert build.kernels(SOURCE, ("-DWITHOUT_BARRIER",))["turned"] is False


@pytest.mark.parametrize("number", ORDERS)
def test_barriers_and_exchanges(number):
    x, y = array(64), ndarray(np.zeros(64, "float32"))
    with order(number):
        function("turned")((1,), (64,), (x, y))
        assert y._a.tolist() == x._a[::-1].tolist()
        function("sums")((1,), (32,), (x, y))
        expected = [np.arange(t, t + 8).sum() if t % 8 == 0 else np.arange(32).sum() for t in range(32)]
        assert y._a[:32].tolist() == expected
        function("leaves")((1,), (64,), (y,))
        assert y._a[:32].tolist() == list(range(32))


def test_a_missing_barrier_shows():
    """In at least one of the orders the result is another."""
    x = array(64)
    wrong = 0
    for number in ORDERS:
        y = ndarray(np.zeros(64, "float32"))
        with order(number):
            function("turned", "-DWITHOUT_BARRIER")((1,), (64,), (x, y))
        wrong += y._a.tolist() != x._a[::-1].tolist()
    assert wrong


@pytest.mark.parametrize("number", ORDERS)
def test_threads_that_wait_for_ever(number):
    with order(number), pytest.raises(RuntimeError, match="stuck: deadlock"):
        function("stuck")((1,), (64,), (array(64),))


def test_dynamic_shared_memory_starts_as_nan():
    y = array(8)
    function("unset")((1,), (8,), (y,), shared_mem=32)
    assert np.isnan(y._a).all()


PAIR = np.zeros((), np.dtype([("a", "i8"), ("b", "f8")]))
RIGHT = (array(1), array(1, "float64"), np.int32(1), np.float32(2), PAIR, None)


def test_arguments():
    y = array(1, "float64")
    pair = PAIR.copy()
    pair["a"], pair["b"] = 30, 0.5
    function("takes")((1,), (1,), (None, y, np.int32(1), np.float32(2), pair, array(3, "int64")))
    assert y._a[0] == 34.5


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, array(1, "float64"), "points to float of 4 bytes; it was given an array of float64"),
        (0, array(1, "int32"), "it was given an array of int32"),
        (0, ndarray(np.zeros((4, 4), "float32")[:, ::2]), "strides"),
        (0, np.zeros(1, "float32"), "not an array on the device"),
        (0, 12345, "not an array on the device"),
        (2, 1, "CuPy passes a Python int as 64 bits"),
        (2, np.int64(1), "is int of 4 bytes; it was given a int64"),
        (2, np.float32(1), "it was given a float32"),
        (3, 1.0, "CuPy passes a Python int as 64 bits and a float as a double"),
        (3, np.float64(1), "it was given a float64"),
        (3, True, "it was given a bool"),
        (4, np.zeros((), "f8"), "has 16 bytes; it was given 8"),
    ],
)
def test_wrong_arguments(position, value, message):
    args = list(RIGHT)
    args[position] = value
    with pytest.raises(TypeError, match=message):
        function("takes")((1,), (1,), tuple(args))


@pytest.mark.parametrize(
    ("grid", "block", "shared"), [((1,), (1025,), 0), ((1, 65536), (1,), 0), ((1,), (1,), 49 * 1024)]
)
def test_launches_beyond_the_limits(grid, block, shared):
    with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
        function("takes")(grid, block, RIGHT, shared_mem=shared)


def test_errors():
    with pytest.raises(TypeError, match="takes 6 arguments, not 5"):
        function("takes")((1,), (1,), RIGHT[:5])
    with pytest.raises(RuntimeError, match="named symbol not found: nowhere"):
        function("nowhere")
    with pytest.raises(CompileException, match="not_declared"):
        RawModule(code='extern "C" __global__ void k(float* x) { x[0] = not_declared; }').get_function("k")


def sanitized(*command: str) -> subprocess.CompletedProcess:
    """The command under the address and undefined-behaviour sanitizers; skips where they are not installed."""
    libraries = []
    for name in ("libasan.so", "libubsan.so"):
        found = subprocess.run([build.COMPILER, f"-print-file-name={name}"], capture_output=True, text=True)
        libraries.append(found.stdout.strip())
    missing = [path for path in libraries if not os.path.isabs(path)]
    if missing:
        pytest.skip(f"the compiler's sanitizers are not installed: {', '.join(missing)}")
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",  # Python leaks; fibers have their own stacks
        "MINITORCH2_EMULATION_SANITIZE": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent / "kernels"), str(HERE.parent), str(HERE)]),
    }
    return subprocess.run([sys.executable, *command], env=environment, cwd=HERE.parent, capture_output=True, text=True)


def test_the_sanitizers_see_an_access_beyond_an_array():
    program = (
        "import numpy as np\n"
        "from test_cuda_emulation import array, function\n"
        "function('beyond')((1,), (32,), (array(1000), array(1001), np.int32(1000)))\n"
    )
    done = sanitized("-c", program)
    assert done.returncode and "heap-buffer-overflow" in done.stderr, done.stderr


@pytest.mark.sanitize
@pytest.mark.timeout(1200)
def test_all_kernels_under_sanitizers():
    """No kernel touches memory that is not its own, or does what C++ leaves undefined."""
    done = sanitized(
        *("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=1200"),
        *("parity_tests/test_cuda_kernels.py", "-k", "test_emulated"),
    )
    assert not done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
