"""What a profiler shows of recorded events: lists of them, averages by name, tables, traces for a browser."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from typing import Any

from ..core.recording import Event

_SORTS = ("cpu_time", "cpu_time_total", "self_cpu_time_total", "count")
_NO_DEVICE = "minitorch2: times and memory of devices are not recorded, only when the CPU began and ended each op"


class _Times:
    """Times in words. A class that has `cpu_time`, `cpu_time_total` and `self_cpu_time_total`, in microseconds."""

    cpu_time: float
    cpu_time_total: float
    self_cpu_time_total: float

    @property
    def cpu_time_str(self) -> str:
        return in_words(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        return in_words(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        return in_words(self.self_cpu_time_total)


class Interval:
    """From start to end, in microseconds."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        return self.end - self.start


class FunctionEvent(_Times):
    """One event. Times in microseconds, `time_range` since the profiler began."""

    count = 1

    def __init__(self, event: Event, begin: int) -> None:
        self.id, self.name, self.key, self.thread = event.id, event.name, event.name, event.thread
        self.input_shapes = event.shapes
        self.time_range = Interval((event.start - begin) / 1e3, (event.end - begin) / 1e3)
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        return self.time_range.elapsed_us()

    cpu_time: Any = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """Without what was recorded within it."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} "
            f"start_us={self.time_range.start:.3f} end_us={self.time_range.end:.3f} "
            f"cpu_children={[child.id for child in self.cpu_children]} thread={self.thread} "
            f"input_shapes={self.input_shapes}>"
        )


class FunctionEventAvg(_Times):
    """All events of a name, and of the same shapes where these are told apart."""

    def __init__(self, key: str, input_shapes: Any = None) -> None:
        self.key, self.input_shapes = key, input_shapes
        self.count, self.cpu_time_total, self.self_cpu_time_total = 0, 0.0, 0.0

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        return self

    __iadd__ = add

    @property
    def cpu_time(self) -> float:  # type: ignore[override]
        return self.cpu_time_total / self.count if self.count else 0.0

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str} count={self.count} input_shapes={self.input_shapes or ''}>"
        )


class EventList(list):
    """Events, or averages of them."""

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all of them, none counted twice."""
        return sum(event.self_cpu_time_total for event in self)

    def total_average(self) -> FunctionEventAvg:
        """All in one."""
        total = FunctionEventAvg("Total")
        for event in self:
            total.add(event)
        return total

    def key_averages(self, group_by_input_shapes: bool = False) -> EventList:
        """A FunctionEventAvg for every name, or for every name and list of input shapes."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shapes else None
            key = (event.key, str(shapes))
            found.setdefault(key, FunctionEventAvg(event.key, shapes)).add(event)
        return EventList(found.values())

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """As text. sort_by: 'cpu_time', 'cpu_time_total', 'self_cpu_time_total' or 'count', the largest first; in the
        order in which they first began without it. NotImplementedError for times of a GPU and for memory."""
        rows = list(self)
        if top_level_events_only:
            rows = [row for row in rows if getattr(row, "cpu_parent", None) is None]
        if sort_by is not None:
            if sort_by not in _SORTS:
                if any(word in sort_by for word in ("cuda", "device", "memory", "xpu")):
                    raise NotImplementedError(f"{_NO_DEVICE}; sort by one of {', '.join(_SORTS)}")
                raise AttributeError(f"table(sort_by={sort_by!r}): events are sorted by {', '.join(_SORTS)}")
            rows.sort(key=lambda row: getattr(row, sort_by), reverse=True)
        whole = self.self_cpu_time_total
        shapes = any(row.input_shapes for row in rows)
        titles = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
        lines = [titles + ["Input Shapes"] * shapes]
        for row in rows if row_limit < 0 else rows[:row_limit]:
            cells = [
                _shortened(row.key, max_name_column_width),
                f"{_percent(row.self_cpu_time_total, whole)}",
                row.self_cpu_time_total_str,
                f"{_percent(row.cpu_time_total, whole)}",
                row.cpu_time_total_str,
                row.cpu_time_str,
                str(row.count),
            ]
            lines.append(cells + [_shortened(str(row.input_shapes or []), max_shapes_column_width)] * shapes)
        widths = [max(12, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
        rule = "  ".join("-" * width for width in widths)
        text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        above = [] if header is None else ["=" * len(rule), header]
        return "\n".join([*above, rule, text[0], rule, *text[1:], rule, f"Self CPU time total: {in_words(whole)}", ""])

    def __str__(self) -> str:
        return self.table()

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes the events for chrome://tracing or Perfetto: JSON, packed where the name ends in .gz."""
        process = os.getpid()
        events = [
            {"ph": "X", "cat": "cpu_op", "name": event.name, "pid": process, "tid": event.thread}
            | {"ts": event.time_range.start, "dur": event.cpu_time_total, "args": {"Input Dims": event.input_shapes}}
            for event in self
        ]
        packed = str(path).endswith(".gz")
        with gzip.open(path, "wt") if packed else open(path, "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 1, "displayTimeUnit": "ms", "traceEvents": events}, file)


def of_recorded(events: Iterable[Event], begin: int) -> EventList:
    """Recorded events as a profiler shows them, those that have not ended left out."""
    found = {}
    for event in events:
        found[event.id] = mine = FunctionEvent(event, begin)
        if event.parent is not None and event.parent.id in found:
            parent = mine.cpu_parent = found[event.parent.id]
            parent.cpu_children.append(mine)
    return EventList(found.values())


def in_words(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "NaN"


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
