"""What this GPU, its driver and CuPy can do: the facts that the GPU kernels and the captured steps rely on.

    python benchmarks/gpu_probe.py                  about half a minute; also writes results/gpu-probe.json

Every fact is tried by itself; one that cannot be had is printed with its error and stops nothing. Some are expected to
be refused (CuPy calls no cuBLAS while a graph is captured), and the line says so. Without a GPU the exit status is 2.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import gpu_machine as machine
import numpy as np

CALLS = 2000  # of a launch whose cost to the host is measured
SOURCE = """
extern "C" __global__ void nothing() {}
extern "C" __global__ void add3(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}
"""


def host_microseconds(call: Callable[[], Any], wait: Callable[[], None], calls: int = CALLS) -> float:
    """What a call costs the host, the device working behind; the median of five runs."""
    for _ in range(20):
        call()
    wait()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(calls // 5):
            call()
        times.append((time.perf_counter() - started) / (calls // 5) * 1e6)
        wait()
    return round(statistics.median(times), 3)


class Probe:
    def __init__(self):
        import cupy

        self.cp: Any = cupy
        self.facts: dict[str, Any] = {}
        self.a, self.b, self.c = (cupy.ones(1024, np.float32) for _ in range(3))
        self.module = cupy.RawModule(code=SOURCE, options=("--std=c++17",))

    def wait(self) -> None:
        self.cp.cuda.Device().synchronize()

    def fact(self, name: str, find: Callable[[], Any], refusal: str | None = None) -> None:
        """Finds it and prints it. `refusal`: the error that is expected, by the name of its class."""
        try:
            value = find()
            self.facts[name] = {"value": value} | ({"expected": refusal} if refusal else {})
            note = f"   (was expected to raise {refusal})" if refusal else ""
            print(f"{name:<52} {value}{note}", flush=True)
        except Exception as error:
            message = " ".join(str(error).split())[:160]
            kind = type(error).__name__
            self.facts[name] = {"error": f"{kind}: {message}", "expected": refusal}
            print(f"{name:<52} {'refused, as expected' if kind == refusal else '!!'} {kind}: {message}", flush=True)

    def launches(self) -> None:
        """Microseconds of the host for one call, by the way it is launched."""
        cp, a, b, c, n = self.cp, self.a, self.b, self.c, np.int32(1024)
        nothing, add3 = self.module.get_function("nothing"), self.module.get_function("add3")
        elementwise = cp.ElementwiseKernel("float32 x, float32 y", "float32 z", "z = x + y", "probe_add")
        calls: dict[str, Callable[[], Any]] = {
            "RawModule, no arguments": lambda: nothing((1,), (32,), ()),
            "RawModule, three arrays and an int": lambda: add3((8,), (128,), (a, b, c, n)),
            "ElementwiseKernel into an array": lambda: elementwise(a, b, c),
            "ufunc a + b": lambda: a + b,
            "a.sum()": lambda: a.sum(),
            "cupy.empty(1024)": lambda: cp.empty(1024, np.float32),
            "view a[1:]": lambda: a[1:],
            "cupy.cuda.get_current_stream()": cp.cuda.get_current_stream,
        }
        for name, call in calls.items():
            self.fact(f"us a call: {name}", lambda call=call: host_microseconds(call, self.wait))
        self.fact("us a call: minitorch2's gemm 64x64", self.gemm_cost)
        self.fact("us a call: minitorch2 a + b, no gradient", self.tensor_cost)
        self.fact("us a call: torch.add into a tensor", self.torch_cost)

    def gemm_cost(self) -> float:
        from minitorch2_kernels.cuda.gemm import gemm

        x = self.cp.ones((64, 64), np.float32)
        y = self.cp.empty_like(x)
        return host_microseconds(lambda: gemm(x, x, y), self.wait)

    def tensor_cost(self) -> float:
        import minitorch2

        x = minitorch2.ones(1024, device="cuda")
        return host_microseconds(lambda: x + x, self.wait)

    def torch_cost(self) -> float:
        import torch

        x = torch.ones(1024, device="cuda")
        y = torch.empty_like(x)
        return host_microseconds(lambda: torch.add(x, x, out=y), torch.cuda.synchronize)

    def milliseconds(self, call: Callable[[], Any], repeats: int = 10) -> float:
        """Of the device for one call, the median of five runs."""
        cuda = self.cp.cuda
        call()
        times = []
        for _ in range(5):
            start, end = cuda.Event(), cuda.Event()
            start.record(cuda.get_current_stream())
            for _ in range(repeats):
                call()
            end.record(cuda.get_current_stream())
            end.synchronize()
            times.append(cuda.get_elapsed_time(start, end) / repeats)
        return statistics.median(times)

    def bandwidth(self) -> None:
        """GB/s, read and written bytes both counted on the device."""
        cp = self.cp
        source = cp.ones(1 << 28, np.float32)
        target = cp.empty_like(source)
        size = source.nbytes
        stream = cp.cuda.get_current_stream
        copy = target.data.copy_from_device_async
        self.fact("GB/s: memcpy on the device", lambda: self.rate(2 * size, lambda: copy(source.data, size, stream())))
        self.fact(
            "GB/s: ufunc a * 2 into an array", lambda: self.rate(2 * size, lambda: cp.multiply(source, 2, target))
        )
        self.fact(
            "GB/s: ufunc a + b into an array", lambda: self.rate(3 * size, lambda: cp.add(source, target, target))
        )
        self.fact("GB/s: a.sum()", lambda: self.rate(size, source.sum))
        host = np.ones(1 << 24, np.float32)
        part = cp.empty(1 << 24, np.float32)
        self.fact("GB/s: from pageable memory", lambda: self.rate(host.nbytes, lambda: part.set(host), 2))
        self.fact("GB/s: to pageable memory", lambda: self.rate(host.nbytes, lambda: part.get(out=host), 2))
        self.fact("GB/s: from pinned memory", lambda: self.pinned(part))

    def rate(self, size: int, call: Callable[[], Any], repeats: int = 10) -> float:
        return round(size / self.milliseconds(call, repeats) / 1e6, 1)

    def pinned(self, part: Any) -> float:
        memory = self.cp.cuda.alloc_pinned_memory(part.nbytes)
        host = np.frombuffer(memory, np.float32, part.size)
        host[...] = 1
        return self.rate(part.nbytes, lambda: part.set(host), 2)

    def products(self) -> None:
        """TFLOP/s of cupy.matmul, and which of the half types it can."""
        cp = self.cp
        for name in ("float32", "float16", "bfloat16"):
            self.fact(f"TFLOP/s: cupy.matmul 4096^3 {name}", lambda name=name: self.product_rate(name))
        for name in ("float16", "bfloat16"):
            x = cp.ones((8, 64, 64), np.float32)
            self.fact(
                f"cupy.matmul batched {name} gives",
                lambda name=name, x=x: str(cp.matmul(x.astype(self.dtype(name)), x.astype(self.dtype(name))).dtype),
            )
        self.fact("bfloat16 sum of 1000 ones", lambda: float(cp.ones(1000, self.dtype("bfloat16")).sum()))
        self.fact("bfloat16 x * 2.5 gives", lambda: str((cp.ones(4, self.dtype("bfloat16")) * 2.5).dtype))

    @staticmethod
    def dtype(name: str) -> Any:
        if name == "bfloat16":
            import ml_dtypes

            return np.dtype(ml_dtypes.bfloat16)
        return np.dtype(name)

    def product_rate(self, name: str) -> float:
        random = self.cp.random.RandomState(0)
        x = random.standard_normal((4096, 4096), dtype=np.float32).astype(self.dtype(name))
        return round(2 * 4096**3 / self.milliseconds(lambda: self.cp.matmul(x, x)) / 1e9, 1)

    def capture(self, work: Callable[[], Any], repeats: int = 1) -> Any:
        """The graph of `work`, done once before so that it is compiled, replayed once; its launches are timed."""
        cuda = self.cp.cuda
        stream = cuda.Stream(non_blocking=True)
        with stream:
            work()
            stream.synchronize()
            stream.begin_capture()
            try:
                for _ in range(repeats):
                    work()
            except BaseException:
                with contextlib.suppress(Exception):  # the error that broke the capture is the one to tell
                    stream.end_capture()
                raise
            graph = stream.end_capture()
            graph.launch(stream)
            stream.synchronize()
        return graph, stream

    def captured(self, work: Callable[[], Any]) -> str:
        self.capture(work)
        return "captured and replayed"

    def replay(self, work: Callable[[], Any], repeats: int) -> str:
        """Host and device time of a graph of so many small kernels."""
        graph, stream = self.capture(work, repeats)
        with stream:
            host = host_microseconds(lambda: graph.launch(stream), stream.synchronize, 200)
            device = self.milliseconds(lambda: graph.launch(stream))
        return f"{host} us of the host, {device * 1e3 / repeats:.2f} us of the device for each kernel"

    def captures(self) -> None:
        """What a CUDA graph can take up."""
        cp, a, b, c = self.cp, self.a, self.b, self.c
        matrix = cp.ones((64, 64), np.float32)
        out = cp.empty_like(matrix)
        index = cp.arange(64)
        works: dict[str, tuple[Callable[[], Any], str | None]] = {
            "a ufunc into an array": (lambda: cp.add(a, b, c), None),
            "allocation inside": (lambda: (a + b) * 2, None),
            "zeros, arange, full": (lambda: (cp.zeros(64), cp.arange(64), cp.full(64, 2.0)), None),
            "a copy into a slice": (lambda: c.__setitem__(slice(0, 64), a[:64]), None),
            "a.sum()": (a.sum, None),
            "matrix.argmax(1)": (lambda: matrix.argmax(1), None),
            "cumsum": (lambda: a.cumsum(), None),
            "take by an array": (lambda: matrix[index], None),
            "take_along_axis": (lambda: cp.take_along_axis(matrix, index[:, None], 1), None),
            "put_along_axis": (lambda: cp.put_along_axis(out, index[:, None], matrix[:, :1], 1), None),
            "add.at": (lambda: cp.add.at(c, index, a[:64]), None),
            "concatenate": (lambda: cp.concatenate((a, b)), None),
            "einsum rd,rd->r": (lambda: cp.einsum("rd,rd->r", matrix, matrix), None),
            "minitorch2's gemm": (self.gemm, None),
            "cupy.matmul": (lambda: cp.matmul(matrix, matrix, out=out), "NotImplementedError"),
            "cupy.random.rand": (lambda: cp.random.rand(4), "NotImplementedError"),
            "a copy from the host": (lambda: cp.asarray(np.ones(3)), "RuntimeError"),
            "float(a[0])": (lambda: float(a[0]), "RuntimeError"),
            "nonzero": (lambda: cp.nonzero(a), "RuntimeError"),
        }
        for name, (work, refusal) in works.items():
            self.fact(f"captured: {name}", lambda work=work: self.captured(work), refusal)
        add3 = self.module.get_function("add3")
        self.fact(
            "replay of 100 kernels", lambda: self.replay(lambda: add3((8,), (128,), (a, b, c, np.int32(1024))), 100)
        )
        self.fact("private pool", self.private_pool)

    def gemm(self) -> None:
        from minitorch2_kernels.cuda.gemm import gemm

        gemm(self.cp.ones((64, 64), np.float32), self.cp.ones((64, 64), np.float32))

    def private_pool(self) -> str:
        """Whether replays of a graph that was captured with a pool of its own leave everybody else's arrays alone."""
        cp = self.cp
        pool = cp.cuda.MemoryPool()
        stream = cp.cuda.Stream(non_blocking=True)
        with cp.cuda.using_allocator(pool.malloc):
            x = cp.arange(1 << 20, dtype=np.float32)
            (x + 1) * 2  # compiled before
            self.wait()
            with stream:
                stream.begin_capture()
                y = (x + 1) * 2
                graph = stream.end_capture()
        others = [cp.zeros(1 << 20, np.float32) for _ in range(8)]
        cp.get_default_memory_pool().free_all_blocks()
        self.wait()
        graph.launch(stream)
        stream.synchronize()
        right = bool((y == (cp.arange(1 << 20, dtype=np.float32) + 1) * 2).all())
        untouched = not any(float(other.sum()) for other in others)
        return f"result right: {right}, other arrays untouched: {untouched}, {pool.total_bytes()} bytes"

    def exchange(self) -> None:
        """bfloat16 between torch and CuPy without a copy."""

        def both() -> str:
            import torch

            t = torch.ones(4, device="cuda", dtype=torch.bfloat16)
            x = self.cp.from_dlpack(t)
            return f"{x.dtype}, same memory: {x.data.ptr == t.data_ptr()}, back: {torch.from_dlpack(x).dtype}"

        self.fact("DLPack, torch's bfloat16 to CuPy and back", both)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", metavar="FILE", default=str(machine.RESULTS / "gpu-probe.json"))
    args = parser.parse_args(argv)
    machine.need_gpu()
    about = machine.circumstances()
    machine.introduce(about)
    probe = Probe()
    for part in (probe.launches, probe.bandwidth, probe.products, probe.captures, probe.exchange):
        try:
            part()
        except Exception as error:
            probe.facts[part.__name__] = {"error": f"{type(error).__name__}: {error}"}
            print(f"{part.__name__}: {type(error).__name__}: {error}")
        machine.write_json(args.out, {**about, "facts": probe.facts})
    unexpected = [n for n, f in probe.facts.items() if "error" in f and not is_refusal(f)]
    print(f"{len(probe.facts)} facts" + (f"; could not be had: {', '.join(unexpected)}" if unexpected else ""))
    print(args.out)
    return 0


def is_refusal(fact: dict[str, Any]) -> bool:
    """Whether it failed in the way that was expected."""
    return bool(fact.get("expected")) and fact["error"].startswith(f"{fact['expected']}:")


if __name__ == "__main__":
    sys.exit(main())
