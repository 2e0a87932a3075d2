"""torch.cpu: the processor by the names that torch.cuda has for GPUs: one device, with streams that never wait."""

from __future__ import annotations

import contextlib
from typing import Any

from . import amp
from .amp.old_names import OldGradScaler, warn_of
from .core.absent import absent
from .core.dtypes import bfloat16
from .core.dtypes import dtype as Dtype
from .core.placing import place

globals().update(absent("cpu", "NumPy and numba choose the instructions", ("get_capabilities",)))


def is_available() -> bool:
    """True."""
    return True


is_initialized = is_available


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """ "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Nothing: there is one."""


def synchronize(device: Any = None) -> None:
    """Nothing: what was called is done."""


class Stream:
    """The order in which work is done, which is that of the program."""

    def __init__(self, priority: int = -1) -> None: ...

    def wait_stream(self, stream: Any) -> None: ...

    def wait_event(self, event: Any) -> None: ...

    def record_event(self) -> None: ...


class Event:
    """A point in that order, which has always been reached."""

    def query(self) -> bool:
        return True

    def record(self, stream: Any = None) -> None: ...

    def synchronize(self) -> None: ...

    def wait(self, stream: Any = None) -> None: ...


_current = [Stream()]


def current_stream(device: Any = None) -> Stream:
    """The stream of the block of `stream` that the program is in."""
    return _current[-1]


class StreamContext(contextlib.AbstractContextManager):
    """See stream."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        _current.append(self.stream or _current[-1])

    def __exit__(self, *exc: Any) -> None:
        _current.pop()


def stream(stream: Stream | None) -> StreamContext:
    """In its block, current_stream() is this one."""
    return StreamContext(stream)


class _Autocast(amp.autocast):
    """Deprecated: torch.amp.autocast("cpu", ...)."""

    def __init__(self, enabled: bool = True, dtype: Dtype = bfloat16, cache_enabled: bool = True) -> None:
        warn_of("cpu", "autocast")
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class _GradScaler(OldGradScaler):
    """Deprecated: torch.amp.GradScaler("cpu", ...)."""

    of_device = "cpu"


place("cpu.amp", {"autocast": _Autocast, "GradScaler": _GradScaler})

__all__ = [
    "Event",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]
