"""The smallest, largest and mean number of an array that need not fit the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core import dtypes
from ..tensor import Tensor

CHUNK = 1 << 20  # elements looked at in one go


@dataclass
class Stats:
    """Of the numbers that are not nan; None where there are none. Whole numbers are exact, but for their mean."""

    min: float | int | None
    max: float | int | None
    mean: float | None
    nan: int
    inf: int


def stats_of(array: np.ndarray) -> Stats | None:
    """The stats of an array of one of our dtypes; None for complex numbers, which have no order, and where the array
    repeats so much of its memory that looking at it could take forever."""
    array = once(array)
    if array.dtype.kind == "c" or array.size > 2 * span(array):
        return None
    low = high = None
    total, count, nan, inf = 0.0, 0, 0, 0
    for chunk in chunks(array):
        numbers = _as_numbers(chunk)
        if numbers.dtype.kind == "f":
            missing = np.isnan(numbers)
            infinite = np.isinf(numbers)
            nan, inf = nan + int(missing.sum()), inf + int(infinite.sum())
            if missing.any():
                numbers = numbers[~missing]
        if not numbers.size:
            continue
        least, most = numbers.min().item(), numbers.max().item()
        low = least if low is None else min(low, least)
        high = most if high is None else max(high, most)
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, or beyond float64
            total += float(numbers.sum(dtype=np.float64))
        count += numbers.size
    return Stats(low, high, total / count if count else None, nan, inf)


def chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The elements in row-major order, as flat arrays of at most CHUNK; views where they lie so, else small copies."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            yield flat[start : start + CHUNK]
    elif array.size <= CHUNK:
        yield array.reshape(-1)
    elif len(array) == 1 or array.size // len(array) >= CHUNK:
        for part in array:
            yield from chunks(part)
    else:
        rows = CHUNK // (array.size // len(array))
        for start in range(0, len(array), rows):
            yield array[start : start + rows].reshape(-1)


def _as_numbers(chunk: np.ndarray) -> np.ndarray:
    """Half precision as float32, exactly; anything else as it is."""
    return Tensor._wrap(chunk).float()._data if chunk.dtype in dtypes.LOW_PRECISION else chunk


def once(array: np.ndarray) -> np.ndarray:
    """`array` without the repetitions that expand() makes: its dimensions of stride 0 have one element."""
    return array[
        tuple(slice(0, 1) if s == 0 and n > 1 else slice(None) for n, s in zip(array.shape, array.strides, strict=True))
    ]


def span(array: np.ndarray) -> int:
    """Elements of the memory between the array's first and its last."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return (high - low) // array.itemsize
