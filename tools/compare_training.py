"""Packages that train, from their own code, in minitorch2 and in PyTorch: the programs in tools/training.

    make packages                                        installs them into build/packages, then compares all
    python tools/compare_training.py lightning peft      only these

Each program runs once with PyTorch and once with minitorch2 as `torch`, each time in a process of its own, and reports
losses and results. The exit status is 1 if a program fails or a number differs by more than CLOSE.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

from frameworks import PACKAGES, become

PROGRAMS = Path(__file__).resolve().parent / "training"
# Of the number itself: tens of steps of Adam, which turns the rounding of small gradients into steps.
CLOSE = 1e-4


def result(framework: str, program: Path) -> list[float] | str:
    """What a program reports; the last lines of what it wrote where it reports nothing."""
    command = [sys.executable, __file__, "--child", framework, str(program)]
    run = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    return " | ".join((run.stdout + run.stderr).strip().splitlines()[-3:])


def child(framework: str, program: str) -> None:
    become(framework)
    sys.path.insert(0, str(PROGRAMS))
    runpy.run_path(program, run_name="__main__")


def verdict(ours: list[float] | str, theirs: list[float] | str) -> tuple[bool, str]:
    """(whether the two agree, a line that says so)."""
    for framework, found in (("PyTorch", theirs), ("minitorch2", ours)):
        if isinstance(found, str):
            return False, f"fails in {framework}: {found}"
    if len(ours) != len(theirs):
        return False, f"{len(ours)} numbers, {len(theirs)} in PyTorch"
    worst = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(ours, theirs, strict=True))  # type: ignore[operator]
    return worst <= CLOSE, f"{len(ours)} numbers, the largest difference {worst:.1e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="*", help="all of them without one")
    parser.add_argument("--child", metavar="FRAMEWORK", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.program[0])
        return 0
    names = args.program or sorted(path.stem.removeprefix("with_") for path in PROGRAMS.glob("with_*.py"))
    if not PACKAGES.is_dir():
        parser.error("install the packages first: make packages, or pip as the Makefile calls it")
    agreed = 0
    for name in names:
        ours, theirs = (result(framework, PROGRAMS / f"with_{name}.py") for framework in ("minitorch2", "torch"))
        same, line = verdict(ours, theirs)
        agreed += same
        print(f"{name:12} {'' if same else 'DIFFERS  '}{line}", flush=True)
    print(f"{agreed} of {len(names)} programs do the same in both, to {CLOSE:g}")
    return int(agreed < len(names))


if __name__ == "__main__":
    sys.exit(main())
