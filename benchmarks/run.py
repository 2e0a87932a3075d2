"""Times minitorch2 against PyTorch: the same programs, each in a process of its own, in turn.

    python benchmarks/run.py                        everything: several minutes
    python benchmarks/run.py mlp lenet_128          only these
    python benchmarks/run.py --out                  also writes benchmarks/results/DATE-COMMIT.json

The ratio is minitorch2's time over PyTorch's: below 1 minitorch2 is the faster. README.md in this folder says how
to read the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from more_programs import MORE
from workloads import IMPORTS, PROGRAMS, WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
OURS, THEIRS = "minitorch2", "torch"
ALL = [*WORKLOADS, *IMPORTS]
SCRIPT = Path(__file__).with_name("workloads.py")
SLICE = 0.1  # seconds that a program computes before it is the other one's turn
SAME = 1e-2  # how far, relatively, the losses of the first steps may be apart; a different program is farther


def environment(args: argparse.Namespace) -> dict[str, str]:
    """The environment of a process that times something."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINITORCH2_NUM_THREADS")
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]),
        "MINITORCH2_COMPILED": "0" if args.impl == "numpy" else "1",
        **dict.fromkeys(threads, str(args.threads)),
    }
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode, and so has torch here
    return variables


def in_process(script: str | Path, args: argparse.Namespace, *arguments: str) -> Any:
    """What a script of this folder prints as JSON when it runs with these arguments in a fresh process."""
    command = [sys.executable, str(script), *arguments]
    result = subprocess.run(command, env=environment(args), stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed; its message is above")
    return json.loads(result.stdout)


class Worker:
    """A process of a script that computes when it is asked to."""

    def __init__(self, args: argparse.Namespace, script: str | Path, *arguments: str) -> None:
        command = [sys.executable, str(script), *arguments, "--threads", str(args.threads)]
        self.process = subprocess.Popen(
            command, env=environment(args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.first = self.answer()
        self.medians = [self.first["seconds"]] if "seconds" in self.first else []

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} failed; its message is above")
        return json.loads(line)

    def ask(self, what: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.answer()

    def run_for(self, seconds: float) -> None:
        self.medians.append(self.ask(str(seconds))["seconds"])

    def end(self) -> float:
        """Its peak memory in MiB."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        peak = self.answer()["peak_mib"]
        self.process.wait()
        return peak


def check_same_program(name: str, ours: list[float], theirs: list[float]) -> None:
    """One seed gives both the same losses; where it does not, their times must not be compared."""
    for a, b in zip(ours, theirs, strict=True):
        if not abs(a - b) <= SAME * abs(b):
            raise SystemExit(f"{name}: the losses differ, {ours} and {theirs}: this is not the same computation")


def measure_round(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """minitorch2 and PyTorch in two fresh processes, which compute in turn, a tenth of a second each, so that what else
    the machine does, and how fast it is, falls on both."""
    workers = {framework: Worker(args, SCRIPT, framework, name) for framework in (OURS, THEIRS)}
    check_same_program(name, *[worker.first["losses"] for worker in workers.values()])
    if name not in IMPORTS:
        left = args.seconds
        while left > 0:
            for worker in workers.values():
                worker.run_for(SLICE)
            left -= max(SLICE, min(worker.medians[-1] for worker in workers.values()))
    peaks = {framework: worker.end() for framework, worker in workers.items()}
    ours, theirs = (worker.medians for worker in workers.values())
    return {
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        **{
            framework: {"seconds": statistics.median(worker.medians), "peak_mib": peaks[framework]}
            for framework, worker in workers.items()
        },
    }


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """The medians of `args.rounds` rounds; of an import, which is over in one turn, of four times as many."""
    rounds = [measure_round(name, args) for _ in range(args.rounds * (4 if name in IMPORTS else 1))]
    result: dict[str, Any] = {
        framework: {
            "seconds": statistics.median(each[framework]["seconds"] for each in rounds),
            "peak_mib": statistics.median(each[framework]["peak_mib"] for each in rounds),
            "seconds_by_round": [each[framework]["seconds"] for each in rounds],
        }
        for framework in (OURS, THEIRS)
    }
    result["ratio_by_round"] = [each["ratio"] for each in rounds]
    result["ratio"] = statistics.median(result["ratio_by_round"])
    return result


def short_time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


HEADER = f"{'workload':<11}{OURS:>12}{THEIRS:>12}{'ratio':>9}{'by round':>18}{'peak MiB':>14}"


def table_line(name: str, result: dict[str, Any]) -> str:
    ours, theirs, by_round = result[OURS], result[THEIRS], result["ratio_by_round"]
    spread = f"{min(by_round):.2f} to {max(by_round):.2f}"
    memory = f"{ours['peak_mib']:.0f} / {theirs['peak_mib']:.0f}"
    return (
        f"{name:<11}{short_time(ours['seconds']):>12}{short_time(theirs['seconds']):>12}"
        f"{result['ratio']:>9.2f}{spread:>18}{memory:>14}"
    )


def output_of(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def circumstances(args: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("numpy", THEIRS, "numba")
    commit = output_of("git", "rev-parse", "HEAD")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit + ("+changes" if commit and output_of("git", "status", "--porcelain") else ""),
        "machine": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory_gib": round(memory, 1),
            "system": f"{platform.system()} {platform.release()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {"python": platform.python_version(), **{name: version_of(name) for name in packages}},
        "settings": {key: vars(args)[key] for key in ("threads", "rounds", "seconds", "impl")},
    }


def add_options(parser: argparse.ArgumentParser, rounds: int, seconds: float) -> None:
    """The options that all programs of this folder have."""
    parser.add_argument("--rounds", type=int, default=rounds, help="processes for each framework")
    parser.add_argument("--seconds", type=float, default=seconds, help="how long each thing is timed in a process")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="for both; all there are without it"
    )
    parser.add_argument(
        "--impl",
        choices=["best", "numpy"],
        default="best",
        help="numpy: without the kernels that numba compiles, as if it were not installed",
    )
    parser.add_argument(
        "--out", nargs="?", const="", metavar="FILE", help="write JSON, without a name into benchmarks/results/"
    )


def introduce(args: argparse.Namespace) -> dict[str, Any]:
    """Prints what the figures depend on, and returns it."""
    if args.rounds < 1 or args.threads < 1:
        raise SystemExit("--rounds and --threads are at least 1")
    about = circumstances(args)
    load = about["machine"]["load_before"]
    if load > 0.5:
        print(f"warning: something else is running (load {load}): these figures will mean little", file=sys.stderr)
    print(f"{about['machine']['cpu']}; threads: {args.threads}, rounds: {args.rounds}, kernels: {args.impl}")
    print(f"{OURS} at {about['commit'][:10] or 'no commit'}, {THEIRS} {about['versions'][THEIRS]}\n", flush=True)
    return about


def write(args: argparse.Namespace, about: dict[str, Any], results: dict[str, Any], suffix: str = "") -> Path | None:
    """Writes the results and what they depend on where --out says, if it says anything."""
    if args.out is None:
        return None
    impl = "" if args.impl == "best" else f"-{args.impl}"
    name = f"{about['date'][:10]}-{about['commit'][:10] or 'unknown'}{impl}{suffix}.json"
    path = Path(args.out) if args.out else ROOT / "benchmarks" / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, **results}, indent=2) + "\n")
    print(path)
    return path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*ALL, *MORE]
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(known)}; {ALL[0]} to {ALL[-1]}"
    )
    add_options(parser, rounds=5, seconds=2.0)
    parser.add_argument("--chart", metavar="FILE.png", help="draw the ratios as bars (needs matplotlib)")
    args = parser.parse_args(argv)
    for name in args.workloads:
        if name not in known:
            parser.error(f"there is no workload {name!r}; there are {', '.join(known)}")
    about = introduce(args)
    print(HEADER, flush=True)
    results, started = {}, time.perf_counter()
    for name in args.workloads or ALL:
        results[name] = measure(name, args)
        print(table_line(name, results[name]), flush=True)
    whole = [results[name]["ratio"] for name in (*PROGRAMS, *MORE) if name in results]
    mean = statistics.geometric_mean(whole) if whole else None
    if mean is not None:
        print(f"\ngeometric mean of the {len(whole)} ratios of whole programs: {mean:.2f}")
    print(f"{time.perf_counter() - started:.0f} s")
    write(args, about, {"geometric_mean": mean, "workloads": results})
    if args.chart:
        draw({name: result["ratio"] for name, result in results.items()}, about, args.chart)
    return 0


def draw(ratios: dict[str, float], about: dict[str, Any], path: str) -> None:
    """A bar for each workload, PyTorch being the line at 1."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 0.4 * len(ratios) + 1.2), layout="constrained")
    names = list(ratios)[::-1]
    bars = axes.barh(names, [ratios[name] for name in names], color="#4878a8")
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(0, 1.15 * max(1, *ratios.values()))
    axes.set_xlabel(f"time, PyTorch {about['versions'][THEIRS]} = 1 (less is faster)")
    axes.set_title(
        f"{about['machine']['cpu']}, {about['settings']['threads']} threads, {about['date'][:10]}", fontsize=9
    )
    figure.savefig(path, dpi=150)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
