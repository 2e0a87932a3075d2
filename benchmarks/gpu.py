"""Times minitorch2 against PyTorch on a GPU: the same programs, eager and as captured CUDA graphs, in turn.

    python benchmarks/gpu.py                            everything, four minutes at most
    python benchmarks/gpu.py mlp gpt --budget 60        only these, within a minute
    python benchmarks/gpu.py --device cpu --small       tries the program itself where there is no GPU

Each framework has one process for all programs, since a start costs seconds; README.md in this folder says how memory
and times are kept apart. The ratio is minitorch2's time over PyTorch's: below 1 minitorch2 is the faster. Without a GPU
the exit status is 2.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import gpu_machine as machine
from gpu_programs import GPU_PROGRAMS

OURS, THEIRS = "minitorch2", "torch"
FRAMEWORKS = (OURS, THEIRS)
MODES = ("eager", "captured")
SAME = 1e-2  # how far, relatively, first losses may be apart; a different computation is farther
DRAWN = 0.3  # the same where a captured step has dropout in it, whose draws differ
UNSEEN = 0.5  # an event's time below this share of the wall clock's did not see all of the step
START = 60.0  # seconds a process may take to answer its first question: it imports its framework


class Failure(Exception):
    """A process could not answer: what it raised, or that it died or took too long."""


class Process:
    """gpu_worker.py for one framework; started anew after it failed, since an error of CUDA stays with its process."""

    def __init__(self, framework: str, device: str):
        self.framework, self.device = framework, device
        self.child: subprocess.Popen | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("gpu_worker.py")
        self.child = subprocess.Popen(
            [sys.executable, str(script), self.framework, self.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=machine.environment(),
            start_new_session=True,
        )
        self.answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self.child.stdout, self.answers), daemon=True).start()

    @staticmethod
    def _read(stream: Any, answers: queue.Queue) -> None:
        for line in stream:
            answers.put(line)
        answers.put(None)

    def say(self, do: str, **arguments: Any) -> None:
        if self.child is None:
            self.start()
        assert self.child is not None and self.child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the missing answer says it
            self.child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.child.stdin.flush()

    def hear(self, do: str, limit: float) -> dict[str, Any]:
        """The answer to what was said last; whatever goes wrong ends the process."""
        try:
            line = self.answers.get(timeout=max(limit, 0.1))
        except queue.Empty:
            self.end()
            raise Failure(f"{do} took longer than the {limit:.0f} s left for it") from None
        if line is None:
            status = self.child.wait() if self.child else None
            self.end()
            raise Failure(f"the process ended with status {status} during {do}")
        answer = json.loads(line)
        if "error" in answer:
            self.end()
            print("\n".join(answer.get("traceback", [])), file=sys.stderr)
            raise Failure(f"{do}: {answer['error']}")
        return answer

    def ask(self, do: str, limit: float, **arguments: Any) -> dict[str, Any]:
        self.say(do, **arguments)
        return self.hear(do, limit)

    def end(self) -> None:
        if self.child is not None:
            machine.end(self.child)
            self.child = None


def agree(ours: list[float], theirs: list[float], tolerance: float) -> tuple[bool, float | None]:
    """Whether these losses are those of one computation, and how far, relatively, they are apart at most."""
    apart = [abs(a - b) / abs(b) if b else abs(a) for a, b in zip(ours, theirs, strict=True)]
    if not all(math.isfinite(x) for x in apart):
        return False, None
    return max(apart) <= tolerance, max(apart)


class Session:
    """The two processes, and the questions that make up one program's results."""

    def __init__(self, args: argparse.Namespace, folder: str):
        self.args, self.folder = args, folder
        self.processes = {name: Process(name, args.device) for name in FRAMEWORKS}

    def versions(self, end: float) -> dict[str, Any]:
        """What both say of themselves; they start at the same time."""
        for process in self.processes.values():
            process.say("about")
        about: dict[str, Any] = {}
        for name, process in self.processes.items():
            try:
                about[name] = process.hear("about", min(START, end - time.monotonic()))
            except Failure as failure:
                about[name] = {"error": str(failure)}
        return about

    def measure(self, name: str, end: float) -> dict[str, Any]:
        """{mode: {framework: figures or {"error": ...}, "ratio": ...}} of one program, done by `end`."""
        result: dict[str, Any] = {"about": GPU_PROGRAMS[name].__doc__}
        start, written = f"{self.folder}/{name}.npz", False
        built = {}
        for framework, process in self.processes.items():
            try:
                if process.child is None:
                    process.ask("about", min(START, end - time.monotonic()))
                built[framework] = process.ask(
                    "build", end - time.monotonic(), name=name, start=start, write=not written, small=self.args.small
                )
                written = True
            except Failure as failure:
                result[f"{framework}_error"] = str(failure)
        Path(start).unlink(missing_ok=True)
        for mode in self.args.modes:
            result[mode] = self.in_mode(mode, {f: built[f] for f in FRAMEWORKS if self.ready(f, built)}, end)
        result |= next(iter(built.values()), {})
        self.judge(result)
        return result

    def ready(self, framework: str, built: dict[str, Any]) -> bool:
        return framework in built and self.processes[framework].child is not None

    def in_mode(self, mode: str, built: dict[str, Any], end: float) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        times: dict[str, list[dict[str, Any]]] = {name: [] for name in built}

        def ask(framework: str, do: str, **arguments: Any) -> dict[str, Any] | None:
            if "error" in figures.setdefault(framework, {}):
                return None
            try:
                return self.processes[framework].ask(do, end - time.monotonic(), **arguments)
            except Failure as failure:
                figures[framework]["error"] = str(failure)
                return None

        for framework in built:
            figures[framework] = {}
            answer = ask(framework, "prepare", mode=mode)
            if answer:
                figures[framework]["prepare_s"] = answer["seconds"]
        for _ in range(self.args.rounds):
            for framework in built:
                answer = ask(framework, "time", seconds=self.args.seconds)
                if answer:
                    times[framework].append(answer)
        for framework in built:
            figures[framework] |= ask(framework, "memory") or {}
            figures[framework] |= ask(framework, "losses") or {}
            rounds = times[framework]
            if rounds:
                figures[framework] |= {
                    "ms": statistics.median(r["ms"] for r in rounds),
                    "mean_ms": statistics.median(r["mean_ms"] for r in rounds),
                    "wall_ms": statistics.median(r["wall_ms"] for r in rounds),
                    "rounds": rounds,
                }
        return figures

    def judge(self, result: dict[str, Any]) -> None:
        """Ratios, and whether the losses say that both computed the same."""
        for mode in self.args.modes:
            ours, theirs = (result[mode].get(framework, {}) for framework in FRAMEWORKS)
            if "losses" in ours and "losses" in theirs:
                tolerance = DRAWN if mode == "captured" and result.get("random") else SAME
                result[mode]["same"], result[mode]["apart"] = agree(ours["losses"], theirs["losses"], tolerance)
            if "ms" in ours and "ms" in theirs:
                result[mode]["ratio"] = ours["ms"] / theirs["ms"]

    def end(self) -> None:
        for process in self.processes.values():
            process.end()


def failures(result: dict[str, Any]) -> list[str]:
    """What of a program's results is missing or wrong, in words."""
    found = [f"{f}: {result[f'{f}_error']}" for f in FRAMEWORKS if f"{f}_error" in result]
    for mode in MODES:
        part = result.get(mode, {})
        for framework, figures in ((f, part.get(f, {})) for f in FRAMEWORKS):
            if "error" in figures:
                found.append(f"{framework} {mode}: {figures['error']}")
            elif figures.get("mean_ms", 1) < UNSEEN * figures.get("wall_ms", 0):
                found.append(
                    f"{framework} {mode}: events saw {figures['mean_ms']:.3g} of {figures['wall_ms']:.3g} ms a step"
                )
        if part.get("same") is False:
            found.append(f"{mode}: the losses differ, {part[OURS]['losses']} and {part[THEIRS]['losses']}")
    return found


HEADER = f"{'ms a step':<12}{'ours':>9}{'torch':>9}{'ratio':>7}{'captured':>10}{'torch':>9}{'ratio':>7}{'peak MiB':>15}"


def table_line(name: str, result: dict[str, Any]) -> str:
    line = f"{name:<12}"
    for mode, width in zip(MODES, (9, 10), strict=True):
        part = result.get(mode, {})
        for framework, space in zip(FRAMEWORKS, (width, 9), strict=True):
            figure = part.get(framework, {}).get("ms")
            line += f"{'-':>{space}}" if figure is None else f"{figure:>{space}.3f}"
        line += f"{part['ratio']:>7.2f}" if "ratio" in part else f"{'-':>7}"
    peaks = [result.get("eager", {}).get(framework, {}).get("peak_mib") for framework in FRAMEWORKS]
    return line + f"{' / '.join('-' if peak is None else f'{peak:.0f}' for peak in peaks):>15}"


def means(results: dict[str, Any]) -> dict[str, float]:
    """The geometric mean of the ratios of each mode, over the programs whose losses agree."""
    found = {}
    for mode in MODES:
        parts = [result.get(mode, {}) for result in results.values()]
        ratios = [part["ratio"] for part in parts if "ratio" in part and part.get("same")]
        if ratios:
            found[mode] = statistics.geometric_mean(ratios)
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"of {', '.join(GPU_PROGRAMS)}; all without one")
    parser.add_argument("--budget", type=float, default=240.0, metavar="SECONDS", help="what all of it may take")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed, in turn with the other")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each is timed in a round")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--device", default="cuda", help="cpu tries the program, eager only; its figures mean nothing")
    parser.add_argument("--small", action="store_true", help="tiny networks: to try the program")
    parser.add_argument("--out", metavar="FILE", default=str(machine.RESULTS / "gpu-bench.json"))
    args = parser.parse_args(argv)
    for name in args.programs:
        if name not in GPU_PROGRAMS:
            parser.error(f"there is no program {name!r}; there are {', '.join(GPU_PROGRAMS)}")
    if args.device == "cpu":
        args.modes = ["eager"]
    else:
        machine.need_gpu()
    machine.stop_on_sigterm()
    return run(args)


def run(args: argparse.Namespace) -> int:
    deadline = time.monotonic() + args.budget
    about = machine.circumstances()
    machine.introduce(about)
    keys = ("budget", "rounds", "seconds", "modes", "device", "small")
    report: dict[str, Any] = {**about, "settings": {key: vars(args)[key] for key in keys}}
    names = args.programs or list(GPU_PROGRAMS)
    results: dict[str, Any] = {}
    report["programs"] = results
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        session = Session(args, folder)
        try:
            report["frameworks"] = session.versions(deadline)
            print(HEADER, flush=True)
            for i, name in enumerate(names):
                left = deadline - time.monotonic()
                if left < 3:
                    results[name] = {f"{OURS}_error": "not begun: the budget was spent before"}
                else:  # twice the even share: what the quick ones leave is there for the slow ones
                    share = min(left, 2 * left / (len(names) - i))
                    results[name] = session.measure(name, time.monotonic() + share)
                print(table_line(name, results[name]), flush=True)
                broken += [f"{name}: {text}" for text in failures(results[name])]
                report["geometric_mean"], report["failures"] = means(results), broken
                machine.write_json(args.out, report)
        finally:
            session.end()
    for text in broken:
        print(f"failed: {text}")
    for mode, mean in report["geometric_mean"].items():
        print(f"geometric mean of the ratios, {mode}: {mean:.2f}")
    print(args.out)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
