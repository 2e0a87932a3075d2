"""torch.cuda.nvtx: names for what a GPU does, in the timelines of NVIDIA's profilers, by CuPy.

RuntimeError, which says what to install, where no GPU can be had.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from ..core import device as core
from ..core.absent import absent

_open = threading.local()  # .depth: how many ranges this thread has begun and not ended


def range_push(msg: str) -> int:
    """Begins a range of this name inside the one begun last; how many were open before."""
    core.cupy().cuda.nvtx.RangePush(msg)
    before = getattr(_open, "depth", 0)
    _open.depth = before + 1
    return before


def range_pop() -> int:
    """Ends the range begun last; how many stay open."""
    core.cupy().cuda.nvtx.RangePop()
    _open.depth = max(getattr(_open, "depth", 0) - 1, 0)
    return _open.depth


def mark(msg: str) -> None:
    """A moment of this name."""
    core.cupy().cuda.nvtx.Mark(msg)


@contextlib.contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A range around a block, or around each call of a function; the arguments go to msg.format."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()


globals().update(absent("cuda.nvtx", "CuPy has ranges that begin and end in one thread", ("range_start", "range_end")))

__all__ = ["mark", "range", "range_pop", "range_push"]
