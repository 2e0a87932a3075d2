"""torch.utils.benchmark: how long a statement takes, measured until the answer holds.

Here are Timer and Measurement for statements in Python. Compare's tables, fuzzed inputs, C++ statements and counting
instructions are not.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import math
import statistics
import sys
import textwrap
import timeit
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import cuda
from ..settings import get_num_threads, set_num_threads

__all__ = [
    "Language",
    "Measurement",
    "TaskSpec",
    "Timer",
    "ordered_unique",
    "select_unit",
    "set_torch_threads",
    "timer",
    "trim_sigfig",
    "unit_to_english",
]


class Language(enum.Enum):
    """What a statement is written in."""

    PYTHON = 0
    CPP = 1


_SHORTEST_INTERVAL = 25e-9  # seconds: no confidence interval is taken for shorter
_UNSTEADY, _DISTURBED = 0.1, 0.25  # interquartile ranges, in medians, from which on a Measurement warns


def timer() -> float:
    """Seconds, after all that was launched on a GPU is done."""
    if cuda.is_available():
        cuda.synchronize()
    return timeit.default_timer()


@dataclasses.dataclass(repr=False, frozen=True)
class TaskSpec:
    """What was measured; measurements of equal specs can be merged."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        of = f": {self.sub_label}" if self.sub_label else ""
        if self.label is not None:
            return self.label + of
        if "\n" not in self.stmt:
            return self.stmt + of
        return f"stmt:{f' ({self.sub_label})' if self.sub_label else ''}\n{textwrap.indent(self.stmt, '  ')}"

    def setup_str(self) -> str:
        if self.setup in ("pass", ""):
            return ""
        return f"setup:\n{textwrap.indent(self.setup, '  ')}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """Title, description and setup."""
        parts = (self.title, self.description or "", self.setup_str())
        return "\n".join(f"{part}\n" if "\n" in part else part for part in parts if part)


@dataclasses.dataclass(repr=False)
class Measurement:
    """Times of `number_per_run` runs each. times, median, mean and iqr are those of one run, in seconds; the fields of
    task_spec are attributes, too."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute '{name}'")

    @property
    def times(self) -> list[float]:
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        return self._quantile(0.5)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.times) if self.raw_times else -1.0

    @property
    def iqr(self) -> float:
        """The interquartile range: how far the middle half of the times spreads."""
        return self._quantile(0.75) - self._quantile(0.25)

    def _quantile(self, q: float) -> float:
        return float(np.quantile(self.times, q)) if self.raw_times else -1.0

    @property
    def significant_figures(self) -> int:
        """How many digits of the median the middle half of the times supports, 1 to 4."""
        times = sorted(self.times)
        middle = times[len(times) // 4 : math.ceil(3 * len(times) / 4)]
        interval = max(1.645 * statistics.pstdev(middle) / math.sqrt(len(middle)), _SHORTEST_INTERVAL)
        return min(max(math.floor(math.log10(self.median / interval)), 1), 4)

    @property
    def has_warnings(self) -> bool:
        return bool(self._warning())

    def meets_confidence(self, threshold: float = _UNSTEADY) -> bool:
        """Whether the interquartile range is less than this part of the median."""
        return self.iqr / self.median < threshold

    def _warning(self) -> str:
        if not self.raw_times or self.meets_confidence(_UNSTEADY):
            return ""
        steady = self.meets_confidence(_DISTURBED)
        cause = "could indicate system fluctuation." if steady else "suggests significant environmental influence."
        part = self.iqr / self.median * 100
        return f"  WARNING: Interquartile range is {part:.1f}% of the median measurement.\n           This {cause}"

    @property
    def title(self) -> str:
        return self.task_spec.title

    @property
    def env(self) -> str:
        return "Unspecified env" if self.task_spec.env is None else self.task_spec.env

    @property
    def as_row_name(self) -> str:
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        n, (unit, scale) = len(self.raw_times), select_unit(self.median)
        low, high = (self._quantile(q) / scale for q in (0.25, 0.75))
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if n > 1 else ''}{self.median / scale:.2f} {unit}")
        if n >= 4:
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        lines.append(
            f"  {n} measurement{'s' if n > 1 else ''}, {self.number_per_run} runs "
            f"{'per measurement,' if n > 1 else ','} {self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        )
        return "\n".join(line for line in (*lines, self._warning()) if line)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """One for each different task_spec, with the times of single runs."""
        groups: dict[TaskSpec, list[float]] = collections.defaultdict(list)
        for measurement in measurements:
            groups[measurement.task_spec].extend(measurement.times)
        return [Measurement(1, times, spec) for spec, times in groups.items()]


class Timer:
    """Measures a statement, given as text, in the globals given; `torch` is among them if not given. It runs on
    num_threads threads. ValueError for what is no text or no Python."""

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ):
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language not in ("py", "python"):
            raise ValueError(f"Invalid language `{language}`: minitorch2 measures Python alone.")
        if global_setup:
            raise ValueError(f"global_setup is C++ only, got `{global_setup}`. Move this code to `setup`.")
        stmt, setup = _dedented(stmt), _dedented(setup)
        names = {"torch": sys.modules[__name__.partition(".")[0]], **(globals or {})}
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._task_spec = TaskSpec(stmt, setup, global_setup, label, sub_label, description, env, num_threads)

    def _seconds(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)  # never 0, which others divide by

    def timeit(self, number: int = 1000000) -> Measurement:
        """One measurement of so many runs, after a hundredth of them to warm up."""
        with set_torch_threads(self._task_spec.num_threads):
            self._seconds(max(int(number // 100), 2))
            return Measurement(number, [self._seconds(number)], self._task_spec)

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Callable[[int, float], Any] | None = None) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def collect_callgrind(self, number: int = 100, **_options: Any) -> None:
        raise NotImplementedError("minitorch2: Timer.collect_callgrind is not supported; timeit measures seconds")

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of runs, each so long that measuring takes no part of it, for min_run_time seconds in all. callback is
        called with the number of runs and the seconds of each block."""
        return self._blocks(self._block_size(min_run_time), min_run_time, None, callback, lambda _: True)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:
        """Blocks of runs until the interquartile range of more than three is below `threshold` of the median, for
        min_run_time to max_run_time seconds."""

        def enough(so_far: Measurement) -> bool:
            return len(so_far.raw_times) > 3 and so_far.meets_confidence(threshold)

        return self._blocks(self._block_size(0.05), min_run_time, max_run_time, callback, enough)

    def _block_size(self, min_run_time: float) -> int:
        """How many runs take ten thousand times as long as none, and a thousandth of min_run_time."""
        with set_torch_threads(self._task_spec.num_threads):
            overhead = statistics.median(self._seconds(0) for _ in range(5))
            number = 1
            while number < 10**9:
                taken = self._seconds(number)
                if (overhead <= taken * 1e-4 and taken >= min_run_time / 1000) or taken > min_run_time:
                    break
                number *= 10
        return number

    def _blocks(self, number, least, most, callback, enough) -> Measurement:
        so_far = Measurement(number, [], self._task_spec)
        with set_torch_threads(self._task_spec.num_threads):
            total = 0.0
            while not so_far.raw_times or total < least or not enough(so_far):
                taken = self._seconds(number)
                so_far.raw_times.append(taken)
                total += taken
                if callback is not None:
                    callback(number, taken)
                if most and total > most:
                    break
        return so_far


def _dedented(text: str) -> str:
    """Without the indentation and the first newline that a block string has."""
    return textwrap.dedent(text).removeprefix("\n").rstrip()


def select_unit(t: float) -> tuple[str, float]:
    """The unit to show t seconds in, and how many seconds it is."""
    unit = {-3: "ns", -2: "us", -1: "ms"}.get(int(math.log10(t) // 3), "s") if t > 0 else "s"
    return unit, {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def unit_to_english(u: str) -> str:
    return {"ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second"}[u]


def trim_sigfig(x: float, n: int) -> float:
    """x rounded to n significant figures: 3.14159, 2 -> 3.1."""
    scale = 10 ** (math.ceil(math.log10(abs(x))) - n)
    return float(round(x / scale) * scale)


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    """The elements without repetitions, each where it came first."""
    return list(dict.fromkeys(elements))


@contextlib.contextmanager
def set_torch_threads(n: int):
    """Kernels use n threads inside the block."""
    before = get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)
