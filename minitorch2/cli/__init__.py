"""The command `minitorch2`: what is in a model file, the same model in another format, a PyTorch program run here."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import sys
from collections.abc import Sequence

from ..version import __version__

__all__ = ["main"]

_EPILOG = """\
exit status:
  0  the command did what it was asked (run: the status is the program's)
  2  the command line makes no sense, or a file cannot be read or written; one line on stderr says why
  3  inspect: unpickling the file with pickle.load would run code that the file chooses
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line (sys.argv's by default) and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="minitorch2",
        description="Look into model files and convert them, without PyTorch and without running anything in them; "
        "run programs that were written for PyTorch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"minitorch2 {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    from . import convert, inspect, run

    inspect.add_to(commands)
    convert.add_to(commands)
    run.add_to(commands)
    options = parser.parse_args(arguments)
    if options.command == "run":
        return run.run(options)  # its errors are the program's
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter gets its number
            stream.reconfigure(errors="backslashreplace")
    try:
        return options.run(options)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except (OSError, RuntimeError, ValueError, EOFError, ImportError, MemoryError, pickle.PickleError) as error:
        from .text import error_line

        print(error_line(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + 2
