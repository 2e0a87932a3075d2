"""Sizes given as one int for every dimension, or one int per dimension."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Size1 = int | tuple[int]
Size2 = int | tuple[int, int]
Size3 = int | tuple[int, int, int]


def repeated(size: int | Iterable[int], n: int) -> tuple[int, ...]:
    """``size`` as a tuple: an int ``n`` times, anything iterable as it is."""
    return tuple(size) if isinstance(size, Iterable) else (size,) * n


def common_types() -> dict[str, Any]:
    """The names of torch.nn.common_types: _size_2_t for an int or a tuple of two, and so on."""
    types: dict[str, Any] = {"_size_any_t": int | tuple[int, ...], "_ratio_any_t": float | tuple[float, ...]}
    for n in range(1, 7):
        types[f"_size_{n}_t"] = int | tuple[(int,) * n]
        types[f"_size_{n}_opt_t"] = int | None | tuple[(int | None,) * n]
        types[f"_ratio_{n}_t"] = float | tuple[(float,) * n]
    return types
