"""What became of each tensor in `load_matching`, as lists and as a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..tensor import Tensor

_SHOWN = 8  # names of a kind that the table lists; the report itself has them all


@dataclass
class LoadReport:
    """Names of the model, but for `unexpected`, which are the file's; print it for a table.

    loaded: copied from the file.  converted: of these, the dtypes ("float16 to float32").
    tied: the same tensor as a loaded one, under another name.
    missing: not in the file.  mismatched: in both, and why not loaded ("shape differs: here (10, 8), file (90, 8)").
    skipped: left out on request, of the model or of the file.  unexpected: in the file and not in the model.
    all_tensors, all_numbers: what the model has.  loaded_numbers: how much of it is loaded.
    """

    loaded: list[str] = field(default_factory=list)
    converted: dict[str, str] = field(default_factory=dict)
    tied: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mismatched: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    all_tensors: int = 0
    all_numbers: int = 0
    loaded_numbers: int = 0

    def count(self, own: Mapping[str, Any]) -> None:
        """Counts the numbers in the model's tensors, each tensor once, and in those that are loaded."""
        sizes = {id(t): t.numel() for t in own.values() if isinstance(t, Tensor)}
        loaded = {id(own[name]) for name in self.loaded}
        self.all_tensors = len(own)
        self.all_numbers = sum(sizes.values())
        self.loaded_numbers = sum(n for key, n in sizes.items() if key in loaded)

    def __str__(self) -> str:
        lines = [
            f"loaded {len(self.loaded) + len(self.tied)} of {self.all_tensors} tensors, "
            f"{self.loaded_numbers:,} of {self.all_numbers:,} numbers"
        ]
        for title, entries in (
            ("loaded", self.loaded),
            ("tied to a loaded one", self.tied),
            ("dtype converted", self._lines(self.converted)),
            ("missing in the file", self.missing),
            ("does not fit", self._lines(self.mismatched)),
            ("skipped", self.skipped),
            ("unexpected in the file", self.unexpected),
        ):
            lines += _rows(title, list(entries))
        return "\n".join(lines)

    @staticmethod
    def _lines(reasons: dict[str, str]) -> Iterable[str]:
        return (f"{name}: {why}" for name, why in reasons.items())


def _rows(title: str, entries: list[str]) -> list[str]:
    shown = entries[:_SHOWN]
    if len(entries) > _SHOWN:
        shown.append(f"... and {len(entries) - _SHOWN} more")
    heads = [f"{title} ({len(entries)})", *[""] * len(shown)]
    return [f"  {head:28}{entry}" for head, entry in zip(heads, shown, strict=False)]
