"""Where the time of one of our training steps goes.

    python benchmarks/profile_step.py mnist_cnn
    python benchmarks/profile_step.py gpt --by cumulative --top 40

Python's profiler counts the calling thread, which does its share of every kernel, so the order of the lines is right;
it also makes small functions look slower than they are. `run.py` has the true times.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from pathlib import Path

import workloads
from more_programs import MORE

import minitorch2 as torch

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=[*workloads.WORKLOADS, *MORE])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--by", choices=["tottime", "cumulative"], default="tottime", help="own time, or with callees")
    parser.add_argument("--top", type=int, default=25, help="how many lines")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    step = workloads.step_of(torch, args.workload)
    for _ in range(workloads.WARM_UP):
        step()
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(args.steps):
        step()
    profile.disable()
    stats = pstats.Stats(profile)
    column = 2 if args.by == "tottime" else 3
    total = stats.total_tt  # type: ignore[attr-defined]
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][column])[: args.top]  # type: ignore[attr-defined]
    print(f"{args.workload}: {total / args.steps * 1e3:.2f} ms a step under the profiler, {args.steps} steps\n")
    print(f"{'share':>6}{'ms/step':>9}{'calls':>7}  function")
    for (path, line, name), row in rows:
        place = path.removeprefix(f"{ROOT}/").removeprefix("kernels/")
        where = name if path == "~" else f"{name}  {place}:{line}"
        print(f"{row[column] / total:>6.1%}{row[column] / args.steps * 1e3:>9.3f}{row[1] / args.steps:>7.0f}  {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
