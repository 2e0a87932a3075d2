"""minitorch2 run: a program written for PyTorch, with minitorch2 in its place."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from typing import Any

from ..alias import install


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    # The import in the description is the program's, which finds this library there; here nothing imports torch.
    parser = commands.add_parser(
        "run",
        help="run a PyTorch program with minitorch2 in PyTorch's place",
        description="Runs a program in which `import torch` means minitorch2, for the packages it imports, too.",
        epilog="exit status: the program's own; 2 there is no such file",
    )
    parser.add_argument("-m", dest="is_module", action="store_true", help="PROGRAM is a module's name, not a file's")
    parser.add_argument("program", metavar="PROGRAM", help="what to run")
    parser.add_argument("arguments", metavar="...", nargs=argparse.REMAINDER, help="the program's own arguments")
    parser.set_defaults(run=run)


def run(options: Any) -> int:
    """Runs the program as __main__; whatever it raises is left to Python to show."""
    path = Path(options.program)
    if not options.is_module and not path.is_file():
        print(f"minitorch2 run: there is no file {options.program}", file=sys.stderr)
        return 2
    install()
    sys.argv = [options.program, *options.arguments]
    if options.is_module:
        sys.path.insert(0, "")
        runpy.run_module(options.program, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(path.resolve().parent))
        runpy.run_path(options.program, run_name="__main__")
    return 0
