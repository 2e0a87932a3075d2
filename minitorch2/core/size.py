"""torch.Size: the shape of a tensor."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import SupportsIndex, overload


class Size(tuple[int, ...]):
    """A tuple of ints that prints as torch's and knows its number of elements."""

    __slots__ = ()

    def __new__(cls, sizes: Iterable[int] = ()):
        return super().__new__(cls, map(operator.index, sizes))

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> Size: ...

    def __getitem__(self, key):
        item = super().__getitem__(key)
        return Size(item) if isinstance(key, slice) else item

    def __add__(self, other):
        return Size(super().__add__(tuple(other)))

    def __radd__(self, other):
        return Size(tuple(other) + tuple(self))

    def __mul__(self, count):
        return Size(super().__mul__(count))

    __rmul__ = __mul__


def row_major_strides(shape) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous tensor: torch counts an empty dim as 1."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * max(shape[i + 1], 1)
    return tuple(strides)
