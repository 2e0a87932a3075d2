"""The thread count of NumPy's own BLAS.

Our threads share the batch; BLAS's threads inside ours would fight them (measured: two times two threads on two cores
make a product five times slower). So BLAS is held to one thread while our pool works, and given back as it was found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from typing import Any

import numpy as np


def _candidates():
    """Paths of what may be NumPy's OpenBLAS, the likeliest first: that of NumPy's wheel, then what the process has
    loaded, of which SciPy and others bring one of their own in their wheels."""
    folder = os.path.dirname(np.__file__)
    for libraries in (os.path.join(os.path.dirname(folder), "numpy.libs"), os.path.join(folder, ".dylibs")):
        with contextlib.suppress(OSError):
            yield from (os.path.join(libraries, name) for name in os.listdir(libraries) if "openblas" in name)
    yield from sorted(_loaded(), key=lambda path: os.path.dirname(path).endswith((".libs", ".dylibs")))


def _loaded() -> list[str]:
    """The libraries called openblas in the process's own map, where there is one (Linux)."""
    if not sys.platform.startswith("linux"):
        return []
    with contextlib.suppress(OSError), open("/proc/self/maps") as maps:
        paths = [line.split(maxsplit=5)[-1].strip() for line in maps]
        return [path for path in dict.fromkeys(paths) if "openblas" in os.path.basename(path)]
    return []


def _find() -> tuple[Any, Any]:
    for path in dict.fromkeys(_candidates()):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for prefix in ("scipy_openblas", "openblas"):
                for suffix in ("64_", ""):
                    with contextlib.suppress(AttributeError):
                        get = getattr(library, f"{prefix}_get_num_threads{suffix}")
                        set_ = getattr(library, f"{prefix}_set_num_threads{suffix}")
                        get.restype, set_.argtypes = ctypes.c_int, [ctypes.c_int]
                        return get, set_
    return None, None


get_threads, set_threads = _find()
controllable = set_threads is not None  # False with MKL or Accelerate: then BLAS's own threads do the work

_lock = threading.Lock()
_depth = 0
_found = 0


class _OneThread:
    """BLAS computes in the calling thread inside this block; the first to enter and the last to leave switch it."""

    def __enter__(self):
        global _depth, _found
        if controllable:
            with _lock:
                if _depth == 0:
                    _found = get_threads()
                    set_threads(1)
                _depth += 1

    def __exit__(self, *exc):
        global _depth
        if controllable:
            with _lock:
                _depth -= 1
                if _depth == 0:
                    set_threads(_found)


_block = _OneThread()


def one_thread() -> _OneThread:
    """A block in which BLAS computes in the calling thread; the first to enter and the last to leave switch it."""
    return _block


def _forget() -> None:
    """A forked child starts outside any such block, whatever another thread of its parent was doing."""
    global _lock, _depth
    if _depth and controllable:
        set_threads(_found)
    _lock, _depth = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
