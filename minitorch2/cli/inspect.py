"""minitorch2 inspect: what is in a file, and what it asks for."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .gather import gather
from .show import as_json, as_text
from .text import error_line

_DESCRIPTION = """\
Lists the tensors and everything else in a model file: torch.save's (.pt, .pth, .bin, of any age), .safetensors,
.npz, .npy, and the index of a sharded checkpoint (.safetensors.index.json, .bin.index.json). Nothing in the file is
executed or imported. What it would execute or import in the hands of pickle.load is written out instead, and makes
the exit status 3. The tensors themselves are not read (--stats and --verify do), so the file may be larger than
the memory.
"""


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    parser = commands.add_parser(
        "inspect",
        help="list what is in a file, and what it asks for",
        description=_DESCRIPTION,
        epilog="exit status: 0 data alone; 2 the file cannot be read; 3 unpickling it would run code",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--stats", action="store_true", help="also the min, max, mean and number of nan of each tensor")
    parser.add_argument("--verify", action="store_true", help="check the checksums, which reads the whole file")
    parser.add_argument("--all", action="store_true", help="every line of long lists")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    report = gather(options.file, options.verify, options.stats)
    print(as_json(report) if options.json else as_text(report, options.all))
    if report.error is not None:
        print(error_line(report.error), file=sys.stderr)
    return 3 if report.findings.runs_code or report.members else 0
