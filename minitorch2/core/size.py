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
        try:
            return super().__new__(cls, map(operator.index, sizes))
        except TypeError:
            for i, each in enumerate(sizes):
                if not hasattr(each, "__index__"):
                    kind = type(each).__name__
                    raise TypeError(f"torch.Size() takes an iterable of 'int' (item {i} is '{kind}')") from None
            raise

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
        if isinstance(other, tuple):
            return Size(super().__add__(other))
        if hasattr(other, "__radd__") and not isinstance(other, int | float):
            return NotImplemented
        raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")

    def __radd__(self, other):
        return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count):
        if not hasattr(count, "__index__"):
            raise TypeError(f"can't multiply sequence by non-int of type '{type(count).__name__}'")
        return Size(super().__mul__(count))

    __rmul__ = __mul__


def checked_numel(shape) -> tuple[int, ...]:
    """The shape of a tensor to be made; RuntimeError where no memory can hold so many elements."""
    if math.prod(shape) >> 60:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return tuple(shape)


def row_major_strides(shape) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous tensor: torch counts an empty dim as 1."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * max(shape[i + 1], 1)
    return tuple(strides)
