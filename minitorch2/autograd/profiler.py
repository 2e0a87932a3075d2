"""torch.autograd.profiler: named sections, and the profiler from before torch.profiler, on which that is built."""

from __future__ import annotations

import time
from typing import Any

from ..core import recording
from ..core.absent import absent_class
from ..core.recording import Recorder
from .function import Function, _Application
from .profiler_util import EventList, of_recorded

recording.TIMED += [(Function, "apply"), (_Application, "run")]


class record_function(recording.section):
    """`with record_function(name):` shows what runs inside as one event of the profiler; nothing where none is on.
    Also a decorator. `args` are words that go with the name in PyTorch's traces, which here they do not."""

    def __init__(self, name: str, args: str | None = None) -> None:
        if args is not None and not isinstance(args, str):
            raise TypeError(f"record_function(): args must be str or None, not {type(args).__name__}")
        super().__init__(name)


class Recording:
    """What a profiler recorded, from `begin` on."""

    def __init__(self, shapes: bool) -> None:
        self.recorder, self.begin = Recorder(shapes), time.perf_counter_ns()
        recording.start(self.recorder)

    def finish(self) -> EventList:
        recording.stop()
        now = time.perf_counter_ns()
        for event in self.recorder.events:
            if event.end <= event.start and event.children:  # still open: the profiler ends within it
                event.end = now
        return of_recorded(self.recorder.events, self.begin)


class profile:
    """`with profile() as prof:` times every op and every backward node inside, on the CPU; then `prof` is a list of
    events: `print(prof.key_averages().table(sort_by="self_cpu_time_total"))`.

    Args:
        enabled: False: does nothing.
        record_shapes: events tell their inputs' shapes.

    NotImplementedError for use_cuda=True or a use_device, profile_memory, with_flops, with_stack and with_modules.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
    ) -> None:
        refuse(
            use_cuda=use_cuda,
            use_device=use_device,
            with_flops=with_flops,
            profile_memory=profile_memory,
            with_stack=with_stack,
            with_modules=with_modules,
        )
        self.enabled, self.record_shapes, self.entered = enabled, record_shapes, False
        self.function_events: EventList | None = None

    def __enter__(self):
        if self.enabled:
            if self.entered:
                raise RuntimeError("Profiler context manager is not reentrant")
            self.entered, self._recording = True, Recording(self.record_shapes)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.enabled:
            self.function_events = self._recording.finish()

    def _events(self) -> EventList:
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        refuse(group_by_stack_n=group_by_stack_n)
        return self._events().key_averages(group_by_input_shape)

    def table(self, sort_by: str | None = None, row_limit: int = 100, **widths: Any) -> str:
        return self._events().table(sort_by, row_limit, **widths)

    def total_average(self):
        return self._events().total_average()

    def export_chrome_trace(self, path: Any) -> None:
        self._events().export_chrome_trace(path)

    @property
    def self_cpu_time_total(self) -> float:
        return self._events().self_cpu_time_total

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self.function_events is None else str(self.function_events)

    __repr__ = __str__


def refuse(**options: Any) -> None:
    """NotImplementedError for an option that is on and that the profiler here has not."""
    for name, value in options.items():
        if value:
            raise NotImplementedError(
                f"minitorch2: the profiler has no {name}={value!r}: it records when the CPU began and ended each op, "
                "and with record_shapes=True the shapes of its inputs"
            )


emit_nvtx = absent_class("autograd.profiler.emit_nvtx", "the profiler here is Python's alone")
emit_itt = absent_class("autograd.profiler.emit_itt", "the profiler here is Python's alone")
