"""torch.utils.flop_counter: its name, for programs that make a counter in case it is wanted."""

from __future__ import annotations

from typing import Any


class FlopCounterMode:
    """Counts nothing: NotImplementedError where counting would begin."""

    def __init__(
        self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None
    ) -> None:
        self.depth, self.display = depth, display

    def __enter__(self):
        raise NotImplementedError("minitorch2: FlopCounterMode does not count; torch.profiler shows ops and shapes")

    def __exit__(self, *exc: Any) -> None:
        pass

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """What was counted: nothing."""
        return {}

    def get_total_flops(self) -> int:
        return 0
