"""torch.torch_version: versions as strings that compare as versions do."""

from __future__ import annotations

import math
import re
from typing import Any

from .version import __version__ as _own

_PATTERN = re.compile(
    r"\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)"  # epoch! release
    r"(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?"
    r"(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?"
    r"(?:[-_.]?(dev)[-_.]?(\d*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE,
)
_STAGES = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}


def _key(text: str) -> tuple | None:
    """What versions are ordered by, as Python's packages are; None for a text that is none. Source: PEP 440."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    epoch, release, stage, number, dash, post, post_number, dev, dev_number, local = match.groups()
    numbers = [int(n) for n in release.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    after = -1 if dash is None and post is None else int(dash or post_number or 0)
    before_release = dev is not None and stage is None and after < 0
    stage = stage and _STAGES.get(stage.lower(), stage.lower())
    early = (stage, int(number or 0)) if stage else ("" if before_release else "z", 0)  # "z" is later than a, b and rc
    parts = re.split(r"[-_.]", local.lower()) if local else []
    places = tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts)
    return int(epoch or 0), tuple(numbers), early, after, math.inf if dev is None else int(dev_number or 0), places


class TorchVersion(str):
    """A version that is a str and is ordered by its numbers: against strings, tuples of numbers, and Version objects of
    `packaging`. What is no version is compared as text."""

    __slots__ = ()

    def _compared(self, other: Any, method: str) -> Any:
        if type(other).__name__ == "Version":
            text = str(other)
        elif isinstance(other, str):
            text = str.__str__(other)
        else:
            try:
                text = ".".join(map(str, other))
            except TypeError:
                return getattr(super(), method)(other)
        ours, theirs = _key(self), _key(text)
        if ours is None or theirs is None:
            return getattr(super(), method)(other)
        return getattr(ours, method)(theirs)

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, "__lt__")

    def __le__(self, other: Any) -> Any:
        return self._compared(other, "__le__")

    def __eq__(self, other: Any) -> Any:
        return self._compared(other, "__eq__")

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, "__ge__")

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, "__gt__")

    __hash__ = str.__hash__


__version__ = TorchVersion(_own)
__all__ = ["TorchVersion"]
