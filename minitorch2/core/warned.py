"""Warnings that torch gives once in a process."""

from __future__ import annotations

import warnings

from .autocast import stacklevel

_given: set[str] = set()
always = False  # whether they are given each time: torch.set_warn_always


def warn_once(text: str, level: int = 1) -> None:
    """A UserWarning, the first time only, at the line that called the function `level` calls above."""
    if always or text not in _given:
        _given.add(text)
        warnings.warn(text, UserWarning, stacklevel=stacklevel(level + 2))


def forget() -> None:
    """Lets all be given again."""
    _given.clear()
