"""What kernels must know of the capture they run in: who draws random numbers in it.

A graph repeats the launches it was captured from, numbers and all. So that each replay draws other random numbers, the
kernels in it read seed and offset from device memory, which is filled before a replay.
"""

from __future__ import annotations

import threading
from typing import Any

import cupy


class Capture:
    """A capture in progress in this thread."""

    def __init__(self) -> None:
        self._states: list = []  # (state, where the graph's kernels read it)

    def enroll(self, state: Any) -> None:
        """Makes the graph's own a stream of random numbers, a `philox.PhiloxState` that is about to be drawn from."""
        buffer = cupy.empty(2, "uint64")
        state.begin_capture(buffer)
        self._states.append((state, buffer))

    def finish(self) -> list:
        """(state, buffer, how much of the stream a replay uses) for each stream; they draw at once again."""
        return [(state, buffer, state.end_capture()) for state, buffer in self._states]


_local = threading.local()


def current() -> Capture | None:
    """The capture in progress in this thread, or None."""
    return getattr(_local, "capture", None)


def begin() -> None:
    _local.capture = Capture()


def end() -> list:
    """Ends the capture; returns its streams of random numbers as `Capture.finish` does."""
    capture, _local.capture = _local.capture, None
    return capture.finish()
