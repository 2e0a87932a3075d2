"""How the time of a training step grows with depth and batch, and whether memory grows with the steps.

    python benchmarks/growth.py                 a table for both frameworks, and the exponents fitted to it
    python benchmarks/growth.py --memory 10000  the memory after so many steps, every tenth of them

Time proportional to depth (layers of a narrow network, where the cost is that of an op) and to the batch (a wide one)
has the exponent 1; below it, a constant part is paid off. The exponent is the slope in logarithms over the upper half
of the sizes, where constants matter least.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import resource
import statistics
import sys
from pathlib import Path
from typing import Any

import run
from ops import median_time

DEPTHS = [4, 8, 16, 32, 64, 128, 256]
BATCHES = [16, 64, 256, 1024, 4096]


def network(torch: Any, depth: int, width: int):
    nn = torch.nn
    layers = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def step_of(torch: Any, depth: int, width: int, batch: int):
    net = network(torch, depth, width)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    x, labels = torch.randn(batch, width), torch.randint(0, 10, (batch,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return step


def measure(framework: str, threads: int, seconds: float) -> dict[str, dict[int, float]]:
    torch = importlib.import_module(framework)
    importlib.import_module(f"{framework}.optim")
    torch.set_num_threads(threads)
    return {
        "depth": {depth: median_time(step_of(torch, depth, 32, 32), seconds) for depth in DEPTHS},
        "batch": {batch: median_time(step_of(torch, 3, 256, batch), seconds) for batch in BATCHES},
    }


def exponent(times: dict[int, float]) -> float:
    """The slope of log(time) over log(size), least squares over the upper half of the sizes."""
    upper = list(times)[len(times) // 2 :]
    x, y = [math.log(size) for size in upper], [math.log(times[size]) for size in upper]
    return statistics.linear_regression(x, y).slope


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def watch_memory(steps: int) -> int:
    """Prints the resident memory of this process during `steps` steps of a small network."""
    torch = importlib.import_module(run.OURS)
    step = step_of(torch, 2, 64, 32)
    for _ in range(100):
        step()
    before = resident_mib()
    print(f"after 100 steps {before:.1f} MiB")
    for tenth in range(1, 11):
        for _ in range(steps // 10):
            step()
        print(f"after {100 + tenth * (steps // 10)} steps {resident_mib():.1f} MiB")
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=int, metavar="STEPS", help="watch the memory of so many steps instead")
    run.add_options(parser, rounds=3, seconds=0.2)
    parser.add_argument("--child", choices=[run.OURS, run.THEIRS], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.memory:
        return watch_memory(args.memory)
    if args.child:
        print(json.dumps(measure(args.child, args.threads, args.seconds)))
        return 0
    about = run.introduce(args)
    runs: dict[str, list[dict[str, dict[str, float]]]] = {run.OURS: [], run.THEIRS: []}
    for _ in range(args.rounds):
        for framework, measured in runs.items():
            measured.append(
                run.in_process(
                    __file__, args, "--child", framework, "--threads", str(args.threads), "--seconds", str(args.seconds)
                )
            )
    results: dict[str, Any] = {}
    for what in ("depth", "batch"):
        print(f"{what:>8}{run.OURS:>12}{run.THEIRS:>12}{'ratio':>8}")
        times = {
            framework: {int(n): statistics.median(r[what][n] for r in measured) for n in measured[0][what]}
            for framework, measured in runs.items()
        }
        for size, ours in times[run.OURS].items():
            theirs = times[run.THEIRS][size]
            print(f"{size:>8}{run.short_time(ours):>12}{run.short_time(theirs):>12}{ours / theirs:>8.2f}")
        slopes = {framework: exponent(measured) for framework, measured in times.items()}
        print(f"exponent{slopes[run.OURS]:>12.2f}{slopes[run.THEIRS]:>12.2f}\n")
        results[what] = {"seconds": times, "exponent": slopes}
    run.write(args, about, results, "-growth")
    return 0


if __name__ == "__main__":
    sys.exit(main())
