"""torch.profiler: which ops a program runs, and how long the CPU is busy with each.

    with torch.profiler.profile(record_shapes=True) as prof:
        train_one_step()
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))

Ops go by the names of their classes, backward nodes by those that `grad_fn` shows. On a GPU the CPU only hands the work
over, so the times are of that.
"""

from __future__ import annotations

import enum
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from .autograd.profiler import Recording, record_function, refuse
from .autograd.profiler_util import EventList
from .core.placing import place
from .cuda import is_available

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3


class ProfilerAction(enum.Enum):
    """What a profiler does during a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3  # the last step of a cycle: on_trace_ready is called after it


_RECORDS = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def kineto_available() -> bool:
    """True: there is torch.profiler.profile, if by no library of that name."""
    return True


def supported_activities() -> set[ProfilerActivity]:
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """For profile(schedule=): after skip_first steps, cycles of `wait` steps off, `warmup` steps that are not kept and
    `active` ones that are; `repeat` cycles, or as many as there are with 0. skip_first_wait=1: no wait at first.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError("Invalid profiler schedule arguments")
    if warmup == 0:
        warnings.warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle = wait + warmup + active
        if repeat > 0 and step // cycle >= repeat:
            return ProfilerAction.NONE
        step %= cycle
        if step < wait:
            return ProfilerAction.NONE
        if step < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if step < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For profile(on_trace_ready=): writes each trace to a file of its own in `dir_name`, which is made if need be."""

    def write(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


class profile:
    """Times ops and backward nodes, from entering to leaving, or in the steps that a schedule says.

    Args:
        activities: ProfilerActivity.CPU is the one there is; CUDA is left out with a warning where there is no GPU.
        schedule: ProfilerAction of a step's number, which `step()` counts; all is recorded without one.
        on_trace_ready: called with the profiler when a cycle of the schedule, or all, is recorded.
        record_shapes: events tell their inputs' shapes.

    NotImplementedError for the CUDA activity on a GPU, profile_memory, with_stack, with_flops, with_modules and the
    other options of PyTorch's.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
    ) -> None:
        chosen = set(activities) if activities is not None else supported_activities()
        if use_cuda:
            chosen.add(ProfilerActivity.CUDA)
        if ProfilerActivity.CUDA in chosen and not is_available():
            warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
            chosen.discard(ProfilerActivity.CUDA)
        if not chosen:
            raise AssertionError("No valid profiler activities found")
        refuse(
            activities=chosen - supported_activities(),
            profile_memory=profile_memory,
            with_stack=with_stack,
            with_flops=with_flops,
            with_modules=with_modules,
            experimental_config=experimental_config,
            execution_trace_observer=execution_trace_observer,
            acc_events=acc_events,
        )
        self.activities, self.record_shapes, self.on_trace_ready = chosen, record_shapes, on_trace_ready
        self.schedule, self.step_num = schedule, 0
        self.current_action = ProfilerAction.NONE
        self._recording: Recording | None = None
        self._step: record_function | None = None
        self._events: EventList | None = None

    def start(self) -> None:
        self._change_to(self.schedule(0) if self.schedule else ProfilerAction.RECORD_AND_SAVE)

    def stop(self) -> None:
        recorded = self.current_action in _RECORDS
        self.current_action = ProfilerAction.NONE
        if recorded:
            self._finish()

    def step(self) -> None:
        """The next step of the program begins."""
        self._end_step()
        self.step_num += 1
        if self.schedule is not None:
            self._change_to(self.schedule(self.step_num))
        elif self._recording is not None:
            self._begin_step()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()

    def _change_to(self, action: ProfilerAction) -> None:
        before, self.current_action = self.current_action, action
        if before is ProfilerAction.RECORD_AND_SAVE or (before in _RECORDS and action not in _RECORDS):
            self._finish()
        if action in _RECORDS:
            if self._recording is None:
                self._recording = Recording(self.record_shapes)
            if self.schedule is not None:
                self._begin_step()

    def _begin_step(self) -> None:
        self._step = record_function(f"ProfilerStep#{self.step_num}")
        self._step.__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def _finish(self) -> None:
        self._end_step()
        if self._recording is not None:
            self._events, self._recording = self._recording.finish(), None
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def events(self) -> EventList:
        """The events of the last cycle. RuntimeError before one is recorded."""
        if self._events is None:
            raise RuntimeError("Profiler must be initialized before getting events: nothing is recorded yet")
        return self._events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The events of the last cycle by name, or by name and input shapes."""
        refuse(group_by_stack_n=group_by_stack_n, group_by_overload_name=group_by_overload_name)
        return self.events().key_averages(group_by_input_shape)

    def export_chrome_trace(self, path: str, use_python_export: bool = False) -> None:
        """Writes the last cycle for chrome://tracing or Perfetto, packed where the name ends in .gz."""
        self.events().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        refuse(with_stack=True)

    def export_memory_timeline(self, path: str, device: str | None = None) -> None:
        refuse(profile_memory=True)


place("profiler.profiler", {name: globals()[name] for name in __all__})
