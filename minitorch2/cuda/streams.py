"""Streams, which run what they are given in order, and events, which mark a moment in one.

Source: torch's pages "torch.cuda.Stream" and "torch.cuda.Event".
"""

from __future__ import annotations

from typing import Any

from ..core import device as core
from . import devices


class Stream:
    """A queue of work of its own beside the default stream's: `with torch.cuda.stream(s): ...` fills it.

    priority: negative for a more urgent one. Equal by device and by `cuda_stream`, CUDA's handle.
    """

    def __init__(self, device: Any = None, priority: int = 0):
        index = devices.index_of(device)
        with devices.device(index):
            self._set(core.cupy().cuda.Stream(non_blocking=True, priority=priority), index)

    def _set(self, stream: Any, index: int) -> None:
        self._stream, self.device_index, self.device = stream, index, core.device("cuda", index)
        self.cuda_stream = stream.ptr

    @classmethod
    def _of(cls, stream: Any, index: int) -> Stream:
        """CuPy's stream as one of ours."""
        made = cls.__new__(cls)
        made._set(stream, index)
        return made

    @property
    def priority(self) -> int:
        return self._stream.priority

    def query(self) -> bool:
        """Whether all it was given is done."""
        return self._stream.done

    def synchronize(self) -> None:
        """Waits until all it was given is done."""
        self._stream.synchronize()

    def record_event(self, event: Event | None = None) -> Event:
        """Marks this moment in the stream, with a new event unless one is given; returns the event."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """What is put into this stream from now on waits for the event, if that was recorded."""
        if event._event is not None:
            self._stream.wait_event(event._event)

    def wait_stream(self, stream: Stream) -> None:
        """What is put into this stream from now on waits for what `stream` holds now."""
        self.wait_event(stream.record_event())

    def __eq__(self, other) -> bool:
        return isinstance(other, Stream) and (self.device_index, self.cuda_stream) == (
            other.device_index,
            other.cuda_stream,
        )

    def __hash__(self) -> int:
        return hash((self.device_index, self.cuda_stream))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a stream, to wait for or to measure times between.

    enable_timing: whether `elapsed_time` can be asked for. blocking: whether `synchronize` sleeps rather than spins.
    Sharing one with another process is not supported: NotImplementedError.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False):
        if interprocess:
            raise NotImplementedError("minitorch2: events are not shared between processes; leave interprocess False")
        self._options = {"block": bool(blocking), "disable_timing": not enable_timing}
        self._event: Any = None

    def record(self, stream: Stream | None = None) -> None:
        """Marks this moment in `stream`, by default the current one."""
        stream = current_stream() if stream is None else stream
        with devices.device(stream.device_index):
            if self._event is None:
                self._event = core.cupy().cuda.Event(**self._options)
            self._event.record(stream._stream)

    def wait(self, stream: Stream | None = None) -> None:
        """What is put into `stream` from now on, by default the current one, waits for this event."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether all that was in the stream before the mark is done."""
        return self._event is None or self._event.done

    def synchronize(self) -> None:
        """Waits until all that was in the stream before the mark is done."""
        if self._event is not None:
            self._event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds on the GPU from this event to `end_event`.

        ValueError where one was not recorded or not made with enable_timing=True; RuntimeError where one is still to
        come.
        """
        if self._options["disable_timing"] or end_event._options["disable_timing"]:
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._event is None or end_event._event is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return core.cupy().cuda.get_elapsed_time(self._event, end_event._event)

    def __repr__(self) -> str:
        return "<torch.cuda.Event uninitialized>" if self._event is None else f"<torch.cuda.Event {self._event.ptr:#x}>"


class StreamContext:
    """What `stream` returns."""

    def __init__(self, stream: Stream | None):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            self._device = devices.device(self.stream.device_index)
            self._device.__enter__()
            self.stream._stream.__enter__()

    def __exit__(self, *exc):
        if self.stream is not None:
            self.stream._stream.__exit__(*exc)
            self._device.__exit__(*exc)
        return False


def stream(stream: Stream | None) -> StreamContext:
    """`with stream(s):` puts the GPU's work into s inside; None changes nothing."""
    return StreamContext(stream)


def set_stream(stream: Stream | None) -> None:
    """Puts the GPU's work into this stream from now on; None changes nothing. `with stream(s)` is the better habit."""
    if stream is not None:
        devices.runtime().setDevice(stream.device_index)
        stream._stream.use()


def current_stream(device: Any = None) -> Stream:
    """The stream that the GPU's work goes into now, in this thread."""
    index = devices.index_of(device)
    return Stream._of(core.cupy().cuda.get_current_stream(index), index)


def default_stream(device: Any = None) -> Stream:
    """The stream that is current where no other was chosen."""
    return Stream._of(core.cupy().cuda.Stream.null, devices.index_of(device))
