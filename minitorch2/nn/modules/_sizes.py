"""Sizes given as one int for every dimension, or one int per dimension."""

from __future__ import annotations

from collections.abc import Iterable

Size1 = int | tuple[int]
Size2 = int | tuple[int, int]
Size3 = int | tuple[int, int, int]


def repeated(size: int | Iterable[int], n: int) -> tuple[int, ...]:
    """``size`` as a tuple: an int ``n`` times, anything iterable as it is."""
    return tuple(size) if isinstance(size, Iterable) else (size,) * n
