"""How near each GPU kernel comes to what the GPU can do: its memory's rate, or its matrix units' rate.

    python benchmarks/gpu_kernels.py                        every kernel, 75 seconds at most
    python benchmarks/gpu_kernels.py softmax conv           those whose name contains one of these

A kernel bound by memory is held to a copy on the device, measured in the same run and counting bytes read plus bytes
written; for the kernel they count once each, at the least that its result needs. A kernel bound by arithmetic is held
to CuPy's product of two matrices of 4096x4096 in the same dtype. Beside it stands the time of the reference
implementation, how far the results of the two are apart, and "no kernel for it" where the reference is all there is.
Without a GPU the exit status is 2.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import gpu_machine as machine
import numpy as np
from gpu_kernel_cases import CASES, ENOUGH, Arrays, Work, bfloat16

import minitorch2_kernels as K

CALLS = 5  # of which the median is taken, each of as many calls as last a few milliseconds
LONGEST = 2.0  # seconds; a call that takes longer is not repeated


class DeviceClock:
    """Milliseconds between two events on the current stream."""

    def __init__(self, cupy: Any):
        self.cuda = cupy.cuda

    def mark(self) -> Any:
        event = self.cuda.Event()
        event.record(self.cuda.get_current_stream())
        return event

    def between(self, start: Any, end: Any) -> float:
        end.synchronize()
        return self.cuda.get_elapsed_time(start, end)

    def wait(self) -> None:
        self.cuda.Device().synchronize()


class HostClock:
    """The same by the host's clock, to try this program without a GPU."""

    def mark(self) -> float:
        return time.perf_counter()

    def between(self, start: float, end: float) -> float:
        return (end - start) * 1e3

    def wait(self) -> None:
        pass


def milliseconds(call: Callable[[], Any], clock: Any) -> float:
    """The median of a call; the first compiles and is not counted."""
    call()
    clock.wait()
    started = time.perf_counter()
    call()
    clock.wait()
    once = time.perf_counter() - started
    if once > LONGEST:
        return once * 1e3
    repeats = min(max(math.ceil(4e-3 / max(once, 1e-6)), 1), 20)
    times = []
    for _ in range(CALLS if once < 0.2 else 1):
        start = clock.mark()
        for _ in range(repeats):
            call()
        times.append(clock.between(start, clock.mark()) / repeats)
    return statistics.median(times)


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference of two results over the largest number in them."""
    if isinstance(ours, tuple):
        return max(apart(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None)
    wide = [x.astype(np.float64) if x.size < 1 << 20 else x.astype(np.float32) for x in (ours, theirs)]
    scale = float(abs(wide[1]).max())
    return float(abs(wide[0] - wide[1]).max()) / (scale or 1.0)


def copied(arrays: Arrays, clock: Any) -> float:
    """Bytes read and written a second by a copy of 1 GiB."""
    source = arrays.normal(arrays.size(1 << 28, 1 << 10))
    target = arrays.xp.empty_like(source)
    return 2 * source.nbytes / milliseconds(lambda: arrays.xp.copyto(target, source), clock) * 1e3


def multiplied(arrays: Arrays, dtype: Any, clock: Any) -> float:
    """Operations a second of the product of two large matrices."""
    n = arrays.size(4096, 16)
    a, b = arrays.normal(n, n, dtype=dtype), arrays.normal(n, n, dtype=dtype)
    product = K.matmul if dtype == K.BFLOAT16 else arrays.xp.matmul  # CuPy multiplies no bfloat16 of ours
    return 2 * n**3 / milliseconds(lambda: product(a, b), clock) * 1e3


def ceilings(arrays: Arrays, clock: Any) -> dict[str, float]:
    """What is measured first: the copy, and the products by dtype."""
    found = {"copy": copied(arrays, clock)}
    for dtype in (np.dtype("float32"), np.dtype("float16"), bfloat16(arrays)):
        if dtype is not None:
            try:
                found["bfloat16" if dtype == K.BFLOAT16 else dtype.name] = multiplied(arrays, dtype, clock)
            except Exception as error:  # CuPy's bfloat16 is young; our own product is measured below all the same
                print(f"no ceiling for {dtype.name}: {type(error).__name__}: {error}", file=sys.stderr)
    return found


def measure(work: Work, limits: dict[str, float], clock: Any, with_reference: bool) -> dict[str, Any]:
    """One case's line of the table."""
    result: dict[str, Any] = {}
    if work.reference is not None and not work.in_place:
        result["apart"] = apart(work.call(), work.reference())
    if work.reference is not None and with_reference:
        result["reference_ms"] = milliseconds(work.reference, clock)
    result["ms"] = milliseconds(work.call, clock)
    result["amount"], result["of"], result["by"] = work.amount, work.of, work.by
    result["per_second"] = work.amount / result["ms"] * 1e3
    if work.of in limits:
        result["share"] = result["per_second"] / limits[work.of]
    return result


HEADER = f"{'kernel':<34}{'ms':>9}{'reference':>11}{'rate':>14}{'share':>7}{'apart':>9}"


def rate(result: dict[str, Any]) -> str:
    per_second = result["per_second"]
    return f"{per_second / 1e9:.0f} GB/s" if result["of"] == "copy" else f"{per_second / 1e12:.1f} TFLOP/s"


def table_line(name: str, result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{name:<34} failed: {result['error']}"
    reference = f"{result['reference_ms']:.3f}" if "reference_ms" in result else "-"
    share = f"{result['share']:.0%}" if "share" in result else "-"
    difference = f"{result['apart']:.0e}" if "apart" in result else "-"
    line = f"{name:<34}{result['ms']:>9.3f}{reference:>11}{rate(result):>14}{share:>7}{difference:>9}"
    return line + ("  no kernel for it" if result["by"] == "reference" else "")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only kernels whose name contains one of these")
    parser.add_argument("--budget", type=float, default=75.0, metavar="SECONDS", help="what all of it may take")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: tiny, to try the program")
    parser.add_argument("--out", metavar="FILE", default=str(machine.RESULTS / "gpu-kernels.json"))
    args = parser.parse_args(argv)
    names = [name for name in CASES if not args.words or any(word in name for word in args.words)]
    if not names:
        parser.error(f"no kernel's name contains {' or '.join(args.words)}; there are: {'; '.join(CASES)}")
    if args.device == "cuda":
        machine.need_gpu()
    return run(args, names)


def start(device: str) -> tuple[Arrays, Any, Callable[[], None]]:
    """Arrays, clock, and what gives memory back between cases."""
    if device == "cpu":
        return Arrays(np, small=True), HostClock(), lambda: None
    import cupy

    import minitorch2_kernels.cuda  # noqa: F401  (registers the kernels)
    from minitorch2_kernels import dispatch

    dispatch.admit(cupy.ndarray)
    return Arrays(cupy, small=False), DeviceClock(cupy), cupy.get_default_memory_pool().free_all_blocks


def run(args: argparse.Namespace, names: list[str]) -> int:
    deadline = time.monotonic() + args.budget
    about = machine.circumstances()
    machine.introduce(about)
    arrays, clock, tidy = start(args.device)
    limits = ceilings(arrays, clock)
    rates = {name: f"{value / (1e9 if name == 'copy' else 1e12):.0f}" for name, value in limits.items()}
    print("measured here: " + ", ".join(f"{n} {v} {'GB/s' if n == 'copy' else 'TFLOP/s'}" for n, v in rates.items()))
    print(HEADER, flush=True)
    results: dict[str, Any] = {}
    report = {**about, "ceilings_per_second": limits, "kernels": results}
    for name in names:
        if time.monotonic() > deadline:
            results[name] = {"error": "not begun: the budget was spent before"}
        else:
            try:
                tidy()
                early = time.monotonic() < deadline - args.budget / 3  # the references are slow, and the first to go
                results[name] = measure(CASES[name](arrays), limits, clock, early)
            except Exception as error:
                message = " ".join(f"{type(error).__name__}: {error}".split())
                results[name] = {"error": message[:300]}
        print(table_line(name, results[name]), flush=True)
        machine.write_json(args.out, report)
    failed = [name for name, result in results.items() if "error" in result]
    wrong = [name for name, result in results.items() if not result.get("apart", 0.0) <= ENOUGH]
    slow = [n for n, r in results.items() if r.get("of") == "copy" and r.get("share", 1.0) < 0.7]
    for what, found in (("failed", failed), ("apart from the reference", wrong), ("below 70 % of a copy", slow)):
        if found:
            print(f"{what}: {', '.join(found)}")
    print(args.out)
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
