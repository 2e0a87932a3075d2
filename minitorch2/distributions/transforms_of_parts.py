"""CatTransform and StackTransform: several transforms side by side, each of its own part of the values."""

from __future__ import annotations

import itertools
from typing import Any

from ..functions import cat, stack
from . import constraints
from .transform import Transform
from .utils import _sum_rightmost

__all__ = ["CatTransform", "StackTransform"]


class _OfParts(Transform):
    """Transforms `tseq` of the parts of a value along `dim`. AssertionError for values of other sizes."""

    _size_is = ""  # what the size along `dim` has to be, in words

    def __init__(self, tseq, dim: int, cache_size: int):
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError("All elements of tseq must be Transform instances")
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    @property
    def bijective(self) -> bool:
        return all(t.bijective for t in self.transforms)

    def _call(self, x):
        return self._joined([t(part) for t, part in self._with_parts(x, "x", "tensor")])

    def _inverse(self, y):
        return self._joined([t.inv(part) for t, part in self._with_parts(y, "y", "tensor")])

    def _jacobians(self, x, y):
        parts = zip(self._with_parts(x, "x", "x"), self._with_parts(y, "y", "y"), strict=True)
        return [t.log_abs_det_jacobian(a, b) for (t, a), (_, b) in parts]

    def _with_parts(self, value, name: str, described: str):
        """[(transform, its part of the value)]."""
        if not -value.ndim <= self.dim < value.ndim:
            raise AssertionError(f"dim {self.dim} out of range for {described} with {value.ndim} dimensions")
        if value.shape[self.dim] != self._size:
            raise AssertionError(
                f"{name}.size({self.dim}) = {value.shape[self.dim]} must equal {self._size_is} {self._size}"
            )
        return list(zip(self.transforms, self._parts(value), strict=True))

    @property
    def _size(self) -> int:
        raise AssertionError("its subclasses know")

    def _parts(self, value) -> Any:
        raise AssertionError("its subclasses know")

    def _joined(self, parts) -> Any:
        raise AssertionError("its subclasses know")


class CatTransform(_OfParts):
    """Transforms of parts of these lengths, 1 unless given, along `dim`, as cat joins them."""

    _size_is = "length"

    def __init__(self, tseq, dim: int = 0, lengths=None, cache_size: int = 0):
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})")

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        return sum(self.lengths)

    _size = length

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _parts(self, value):
        ends = zip(itertools.accumulate(self.lengths), self.lengths, strict=True)
        return [value.narrow(self.dim, end - length, length) for end, length in ends]

    def _joined(self, parts):
        return cat(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        event_dim = self.event_dim
        logs = [
            _sum_rightmost(log, event_dim - t.event_dim)
            for t, log in zip(self.transforms, self._jacobians(x, y), strict=True)
        ]
        dim = self.dim - x.ndim if self.dim >= 0 else self.dim
        # The parts follow each other along a dim of the batch, or are parts of one event.
        return cat(logs, dim + event_dim) if dim + event_dim < 0 else sum(logs)


class StackTransform(_OfParts):
    """Transforms of slices along `dim`, as stack puts them together."""

    _size_is = "len(transforms)"

    def __init__(self, tseq, dim: int = 0, cache_size: int = 0):
        super().__init__(tseq, dim, cache_size)

    def with_cache(self, cache_size=1):
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    @property
    def _size(self) -> int:
        return len(self.transforms)

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _parts(self, value):
        return value.unbind(self.dim)

    def _joined(self, parts):
        return stack(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        return stack(self._jacobians(x, y), self.dim)
