"""How the kernels that numba compiles (the extra `fast`) are compiled.

Without the interpreter lock, for our own pool's threads: numba's parallel=True would bring a second pool whose waiting
threads spin against ours. Nothing is compiled, and numba is not imported, before the first call that needs it. What was
compiled is kept on disk, beside the source or in the user's cache; where neither can be written it is compiled anew in
every process. A call that had to wait for more than a second says so on stderr.

MINITORCH2_COMPILED=0 in the environment does as if numba were not installed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from typing import Any

available = os.environ.get("MINITORCH2_COMPILED") != "0" and importlib.util.find_spec("numba") is not None

NOTICE_AFTER = 1.0  # seconds


def jit(function: Callable[..., Any], fastmath: Any = False, error_model: str = "python", **options: Any) -> Any:
    """`function` compiled for each set of dtypes at its first call. Imports numba.

    error_model="numpy": x / 0 is inf and no error, so that a loop with a division needs no test that stops it."""
    import numba

    _listen()
    options |= dict(nogil=True, no_cfunc_wrapper=True, fastmath=fastmath, error_model=error_model)
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(**options)(function)


def compile_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """As jit, at the first call and not before; every result is rounded as NumPy would."""
    compiled = functools.cache(lambda: jit(function))
    return functools.wraps(function)(lambda *args: compiled()(*args))


class Loops:
    """A module of compiled loops, imported when the first of them is asked for, and numba with it. An import statement
    inside a kernel would cost a microsecond in every call."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, loop: str) -> Any:
        module = importlib.import_module(f".{self._name}", __package__)
        self.__dict__.update(vars(module))
        return getattr(module, loop)


@functools.cache
def _listen() -> None:
    """Has numba tell when it compiled for long."""
    from numba.core import event

    class Listener(event.Listener):
        """Compilations start one another; the outermost has the whole time."""

        def __init__(self) -> None:
            self.depth, self.started = 0, 0.0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.started = time.perf_counter()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            seconds = time.perf_counter() - self.started
            module = str(getattr(event.data.get("dispatcher"), "__module__", None))  # that of a text may be None
            if self.depth == 0 and seconds > NOTICE_AFTER and module.startswith(__name__.partition(".")[0]):
                lost = type(event.data["dispatcher"]._cache).__name__ == "NullCache"
                kept = "no folder to keep it in" if lost else "kept for the next process"
                print(f"minitorch2: compiled {module.rpartition('.')[2]} in {seconds:.1f} s ({kept})", file=sys.stderr)

    event.register("numba:compile", Listener())
