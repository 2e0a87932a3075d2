"""What a program does and how long it takes: while a profiler is on, every op, every node of a backward pass and every
named section leaves an event.

While none is on, ops ask nothing: `start` puts timed methods in the place of the plain ones, `stop` puts those back.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from typing import Any

from .function import Function

# Methods that are timed, and the name of what each does: of the class, or of the node.
TIMED: list[tuple[type, str]] = [(Function, "apply"), (Function, "run")]

current: Recorder | None = None


class Event:
    """One thing done: from `start` to `end`, in nanoseconds of time.perf_counter_ns, within `parent`."""

    __slots__ = ("children", "end", "id", "name", "parent", "shapes", "start", "thread")

    def __init__(self, id: int, name: str, thread: int, parent: Event | None, shapes: list) -> None:
        self.id, self.name, self.thread, self.parent, self.shapes = id, name, thread, parent, shapes
        self.children: list[Event] = []
        self.start = self.end = time.perf_counter_ns()


class Recorder:
    """Events in the order in which they began. Each thread nests its own."""

    def __init__(self, shapes: bool = False) -> None:
        self.events: list[Event] = []
        self._next_id = itertools.count().__next__  # threads may begin at the same moment
        self.shapes = shapes
        self._innermost = threading.local()

    def begin(self, name: str, args: tuple = ()) -> Event:
        parent = self.innermost()
        if args and type(args[0]) is list:  # the gradients that a node gets
            args = tuple(args[0])
        shapes = [list(getattr(a, "shape", ())) for a in args] if self.shapes else []
        event = Event(self._next_id(), name, threading.get_ident(), parent, shapes)
        self.events.append(event)
        if parent is not None:
            parent.children.append(event)
        self._innermost.event = event
        return event

    def innermost(self) -> Event | None:
        """What this thread is at."""
        return getattr(self._innermost, "event", None)

    def end(self, event: Event) -> None:
        event.end = time.perf_counter_ns()
        self._innermost.event = event.parent


class section(contextlib.ContextDecorator):
    """`with section(name):` is an event, where a profiler is on; so is each call of a function that it decorates."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _recreate_cm(self):
        return type(self)(self.name)  # a decorated function may call itself

    def __enter__(self):
        self._recorder = current
        self._event: Any = current and current.begin(self.name)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._recorder is not None:
            self._recorder.end(self._event)


def start(recorder: Recorder) -> None:
    """Events go to `recorder` from now on. RuntimeError where another one is on."""
    global current
    if current is not None:
        raise RuntimeError("Profiler is already enabled on this thread")
    current = recorder
    for cls, method in TIMED:
        setattr(cls, method, _timed(cls.__dict__[method], recorder))


def stop() -> None:
    global current
    current = None
    for cls, method in TIMED:
        setattr(cls, method, cls.__dict__[method].plain)


def _timed(plain: Any, recorder: Recorder) -> Any:
    of_class = isinstance(plain, classmethod)
    function = plain.__func__ if of_class else plain

    @functools.wraps(function)
    def run(subject, *args):
        name = getattr(subject, "op_name", subject.__name__) if of_class else subject.name()
        within = recorder.innermost()
        if within is not None and within.name == name:  # the same op once more, in another dtype
            return function(subject, *args)
        event = recorder.begin(name, args)
        try:
            return function(subject, *args)
        finally:
            recorder.end(event)

    timed: Any = classmethod(run) if of_class else run
    timed.plain = plain
    return timed
