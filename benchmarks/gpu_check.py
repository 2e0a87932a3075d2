"""Everything that needs a GPU, in one command that fits in ten minutes:

    python benchmarks/gpu_check.py                              probe, tests, parity, sanitizer, kernels, bench
    python benchmarks/gpu_check.py --phases tests bench         only these
    python benchmarks/gpu_check.py --limit tests=60 --budget 300

    probe       what device, driver and CuPy can do (gpu_probe.py)
    tests       the tests marked `gpu`
    parity      the tests of what tensors, layers, optimizers and distributions compute, all of it on the GPU
    sanitizer   compute-sanitizer's memcheck and racecheck on the kernels' tests
    kernels     each kernel against a copy and a matrix product (gpu_kernels.py)
    bench       minitorch2 against PyTorch (gpu.py), with whatever time is left

Each phase has a time limit, and leaves what it found under --out; one that fails is reported, and the next one runs.
The exit status is 0 where all phases passed, 1 where one did not, 2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_machine as machine

LIMITS = {"probe": 60.0, "tests": 130.0, "parity": 90.0, "sanitizer": 70.0, "kernels": 60.0, "bench": 240.0}
LEAST = 5.0  # seconds; a phase with less is not begun
KEPT = 0.35  # of the budget, kept for bench while the phases before it run
KERNEL_TESTS = "parity_tests/test_cuda_kernels.py"
FOUND = 99  # compute-sanitizer's own exit status where it found something; pytest's are small
CUDA = ("/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer", "/opt/cuda/bin")  # where it is if not on the PATH
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-rfE"]


@dataclass
class Task:
    """A program that is running for a phase."""

    name: str
    child: subprocess.Popen
    log: Path
    started: float

    def result(self, end: float) -> dict[str, Any]:
        """How it went; ended where it is not done by `end`."""
        try:
            status: int | None = self.child.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            machine.end(self.child)
        seconds = round(time.monotonic() - self.started, 1)
        return {"status": status, "seconds": seconds, "log": self.log.name}


class Check:
    def __init__(self, out: Path, workers: int):
        self.out, self.workers = out, workers
        self.running: list[Task] = []

    def begin(self, name: str, command: list[str], log: str, **environment: str) -> Task:
        """Starts a program; what it prints is added to a file under --out."""
        path = self.out / log
        with path.open("a") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            child = subprocess.Popen(
                command,
                cwd=machine.ROOT,
                env=machine.environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        task = Task(name, child, path, time.monotonic())
        self.running.append(task)
        return task

    def stop(self) -> None:
        """Ends whatever is still running."""
        for task in self.running:
            machine.end(task.child)

    def program(self, phase: str, script: str, end: float, *options: str) -> dict[str, Any]:
        """One of the other programs of this folder; its table is printed and its JSON lies under --out."""
        log = self.out / "gpu-check.log"
        before = log.stat().st_size if log.exists() else 0
        command = [sys.executable, str(Path(__file__).with_name(script)), *options]
        result = self.begin(phase, command, log.name).result(end)
        with log.open("rb") as file:
            file.seek(before)
            print(file.read().decode(errors="replace"), flush=True)
        result["verdict"] = verdict(result["status"])
        return result

    def probe(self, end: float) -> dict[str, Any]:
        return self.program("probe", "gpu_probe.py", end, "--out", str(self.out / "gpu-probe.json"))

    def kernels(self, end: float) -> dict[str, Any]:
        options = ["--out", str(self.out / "gpu-kernels.json"), "--budget", f"{end - time.monotonic() - 8:.0f}"]
        return self.program("kernels", "gpu_kernels.py", end, *options)

    def bench(self, end: float) -> dict[str, Any]:
        options = ["--out", str(self.out / "gpu-bench.json"), "--budget", f"{end - time.monotonic() - 8:.0f}"]
        return self.program("bench", "gpu.py", end, *options)

    def tests(self, end: float) -> dict[str, Any]:
        return self.pytest("tests", end, "-m", "gpu")

    def parity(self, end: float) -> dict[str, Any]:
        return self.pytest("parity", end, "--device=cuda")

    def pytest(self, phase: str, end: float, *options: str) -> dict[str, Any]:
        """In several processes: most of a test's time is the host's, and a broken context stays with one of them."""
        spread = ["-n", str(self.workers)] if self.workers > 1 else []
        task = self.begin(phase, [*PYTEST, *options, *spread, "--maxfail=60"], f"gpu-{phase}.log")
        result = task.result(end)
        result |= tests_said(task.log.read_text(errors="replace"))
        result["verdict"] = verdict(result["status"])
        if result["verdict"] == "passed" and not result.get("passed"):
            result["verdict"] = "failed: no test ran"
        show_tail(task.log, 40 if result["verdict"] != "passed" else 4)
        return result

    def sanitizer(self, end: float) -> dict[str, Any]:
        """Both tools at once, each on tests in one process; a tool stopped by its limit has found nothing so far."""
        program = machine.find_program("compute-sanitizer", *CUDA)
        if program is None:
            return {"verdict": f"failed: compute-sanitizer is neither on the PATH nor in {', '.join(CUDA)}"}
        tasks = []
        for tool in ("memcheck", "racecheck"):
            options = ["--report-api-errors", "no"] if tool == "memcheck" else []  # Python raises those anyway
            command = [program, "--tool", tool, *options, f"--error-exitcode={FOUND}", *PYTEST, "-m", "gpu", "-vv"]
            command += ["--timeout=0", "-p", "gpu_pytest_plugin", KERNEL_TESTS]
            tasks.append(self.begin(tool, command, f"gpu-{tool}.log", HYPOTHESIS_PROFILE="sanitizer"))
        result: dict[str, Any] = {}
        for task in tasks:
            done = task.result(end)
            text = task.log.read_text(errors="replace")
            done |= tests_said(text) | {"tests_run": text.count(" PASSED") + text.count(" FAILED")}
            done["verdict"] = sanitizer_verdict(done["status"], text, done["tests_run"])
            result[task.name] = done
            print(f"{task.name}: {done['verdict']}", flush=True)
            if done["verdict"] != "passed":
                show_tail(task.log, 15)
        verdicts = {part["verdict"] for part in result.values()}
        result["verdict"] = "passed" if verdicts == {"passed"} else "; ".join(sorted(verdicts - {"passed"}))
        return result


def verdict(status: int | None) -> str:
    if status is None:
        return "stopped by its time limit"
    return "passed" if status == 0 else f"failed with status {status}"


def sanitizer_verdict(status: int | None, text: str, tests: int) -> str:
    errors = [int(n) for n in re.findall(r"ERROR SUMMARY: (\d+) error", text)]
    errors += [int(n) for n in re.findall(r"RACECHECK SUMMARY: (\d+) hazard", text)]
    if status == FOUND or any(errors) or "========= Invalid" in text or "========= Error: Race" in text:
        return "failed: it found errors"
    if status is None:
        return f"stopped by its time limit after {tests} tests, without a finding"
    if status == 0 and not tests:
        return "failed: no test ran"
    return verdict(status)


def tests_said(text: str) -> dict[str, int]:
    """{"passed": 12, "failed": 1, ...} from pytest's last line."""
    last = re.compile(r"\d+ (passed|failed|errors?|skipped|deselected)\b.* in [\d.]+s")
    lines = [line for line in text.splitlines() if last.search(line)]
    return {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", lines[-1].split(" in ")[0])} if lines else {}


def show_tail(path: Path, lines: int) -> None:
    print("\n".join(path.read_text(errors="replace").splitlines()[-lines:]), flush=True)


def phase_end(name: str, limit: float, begun: float, budget: float, later: list[str]) -> float:
    """When a phase must be done: by its limit, and early enough that `bench` keeps its share if it is still to come."""
    end = begun + budget - 5
    if "bench" in later:
        end -= KEPT * budget
    return end if name == "bench" else min(end, time.monotonic() + limit)


def limits_of(parser: argparse.ArgumentParser, given: list[str]) -> dict[str, float]:
    limits = dict(LIMITS)
    for text in given:
        name, equals, seconds = text.partition("=")
        if name not in LIMITS or not equals or not re.fullmatch(r"\d+(\.\d+)?", seconds):
            parser.error(f"--limit takes PHASE=SECONDS with a phase of {', '.join(LIMITS)}, not {text!r}")
        limits[name] = float(seconds)
    return limits


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phases", nargs="+", choices=list(LIMITS), default=list(LIMITS), metavar="PHASE")
    parser.add_argument("--budget", type=float, default=570.0, metavar="SECONDS", help="what all of it may take")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="PHASE=SECONDS", help="another limit for a phase"
    )
    parser.add_argument("--workers", type=int, default=4, help="processes for the tests")
    parser.add_argument(
        "--out",
        default=str(machine.RESULTS / time.strftime("gpu-check-%Y-%m-%dT%H%M%S")),
        metavar="FOLDER",
        help="where JSON and logs go; without results of another run",
    )
    args = parser.parse_args(argv)
    limits = limits_of(parser, args.limit)
    if any(Path(args.out).glob("gpu-*.*")):
        parser.error(f"{args.out} holds the results of another run, which would be lost; name another folder by --out")
    begun = time.monotonic()
    machine.need_gpu()
    machine.stop_on_sigterm()
    return run(args, limits, begun)


def run(args: argparse.Namespace, limits: dict[str, float], begun: float) -> int:
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    about = machine.circumstances()
    machine.introduce(about)
    check = Check(out, args.workers)
    actions: dict[str, Callable[[float], dict[str, Any]]] = {name: getattr(check, name) for name in LIMITS}
    phases: dict[str, Any] = {}
    try:
        for i, name in enumerate(args.phases):
            end = phase_end(name, limits[name], begun, args.budget, args.phases[i + 1 :])
            left = end - time.monotonic()
            print(f"\n== {name}: {max(left, 0):.0f} s at most", flush=True)
            if left < LEAST:
                phases[name] = {"verdict": "not begun: the budget was spent before"}
            else:
                try:
                    phases[name] = actions[name](end)
                except Exception as error:
                    phases[name] = {"verdict": f"failed: {type(error).__name__}: {error}"}
            machine.write_json(out / "gpu-check.json", {**about, "phases": phases})
    finally:
        check.stop()
    print("\n== result")
    for name, phase in phases.items():
        counts = ", ".join(f"{phase[word]} {word}" for word in ("passed", "failed", "error", "errors") if word in phase)
        print(f"{name:<10} {phase['verdict']}{f' ({counts})' if counts else ''}")
    print(f"{time.monotonic() - begun:.0f} s; {out}")
    return 0 if all(phase["verdict"] == "passed" for phase in phases.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
