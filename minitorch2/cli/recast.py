"""Tensors in another dtype, or packed, without holding more of them in memory than the machine has."""

from __future__ import annotations

import mmap
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np

from ..core import dtypes
from ..nn.parameter import Buffer, Parameter
from ..serialization.plain import own_attributes
from ..tensor import Tensor
from .stats import chunks, once
from .text import human

_IN_MEMORY = 1 << 26  # bytes of results kept in memory; what is more goes to a file without a name


class Recaster:
    """Makes new arrays chunk by chunk. They are read-only, and mapped from a temporary file in `folder` if many.

    dtype: what floating-point tensors become, None to leave them.
    overflowed: {name: numbers that became infinite}; separated: names of tensors that shared memory and no longer do.
    """

    def __init__(self, folder: str, dtype: dtypes.dtype | None):
        self.folder = folder
        self.dtype = dtype
        self.overflowed: dict[str, int] = {}
        self.sources: dict[str, np.ndarray] = {}
        self._done: dict[Any, np.ndarray] = {}
        self._used = 0
        self._file: BinaryIO | None = None
        self._open = ExitStack()

    def __enter__(self) -> Recaster:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    @property
    def separated(self) -> list[str]:
        views = {name: _view(array) for name, array in self.sources.items()}
        count = Counter(views.values())
        return [name for name in overlapping(self.sources) if count[views[name]] == 1]

    def cast(self, name: str, tensor: Tensor) -> Tensor:
        """`tensor` in the dtype; tensors that are one view of one memory stay that, and what is expanded stays so."""
        if self.dtype is None or not tensor.dtype.is_floating_point or tensor.dtype is self.dtype:
            return tensor
        array = tensor.detach()._data
        self.sources[name] = array
        view = _view(array)
        if view not in self._done:
            refuse_repetition([once(array)])
            self._done[view] = np.broadcast_to(self._made(name, once(array), self.dtype), array.shape)
        return _like(tensor, self._done[view])

    def packed(self, name: str, tensor: Tensor) -> Tensor:
        """A contiguous copy in memory of its own."""
        return Tensor._wrap(self._made(name, tensor.detach()._data, tensor.dtype))

    def cast_nest(self, nest: Any, name: str = "") -> Any:
        """The nest with all its tensors cast; containers without any are the same objects."""
        if isinstance(nest, Tensor):
            return self.cast(name, nest)
        if type(nest) in (dict, OrderedDict):
            changed = {key: self.cast_nest(value, f"{name}.{key}" if name else str(key)) for key, value in nest.items()}
            if all(changed[key] is value for key, value in nest.items()):
                return nest
            result = type(nest)(changed)
            if isinstance(result, OrderedDict):
                vars(result).update(vars(nest))
            return result
        if type(nest) in (list, tuple):
            items = [self.cast_nest(item, f"{name}.{i}") for i, item in enumerate(nest)]
            return nest if all(a is b for a, b in zip(items, nest, strict=True)) else type(nest)(items)
        return nest

    def _made(self, name: str, array: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
        nbytes = array.size * dtype.itemsize
        self._used += nbytes
        if self._used <= _IN_MEMORY or not nbytes:
            result = np.empty(array.size, dtype.numpy)
            at = 0
            for chunk in chunks(array):
                result[at : at + chunk.size] = self._converted(name, chunk, dtype)
                at += chunk.size
            return result.reshape(array.shape)
        if self._file is None:
            make = tempfile.TemporaryFile
            self._file = self._open.enter_context(make(dir=self.folder))
        start = self._file.seek(-self._file.seek(0, 2) % mmap.ALLOCATIONGRANULARITY, 2)
        for chunk in chunks(array):
            # Written, not mapped and filled: a full disk is then an OSError and no bus error.
            self._file.write(self._converted(name, chunk, dtype).tobytes())
        self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), nbytes, access=mmap.ACCESS_READ, offset=start)
        return np.frombuffer(mapped, dtype.numpy).reshape(array.shape)

    def _converted(self, name: str, chunk: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
        if chunk.dtype == dtype.numpy:
            return chunk
        before = Tensor._wrap(chunk)
        after = before.to(dtype)
        new = int(after.isinf().sum().item()) - int(before.isinf().sum().item())
        if new:
            self.overflowed[name] = self.overflowed.get(name, 0) + new
        return after._data


def _view(array: np.ndarray) -> tuple[Any, ...]:
    """Equal for arrays that are the same view of the same memory."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype


def _like(tensor: Tensor, array: np.ndarray) -> Tensor:
    result = Tensor._wrap(array)
    if isinstance(tensor, Parameter):
        result = Parameter(result, requires_grad=False)
    elif isinstance(tensor, Buffer):
        result = Buffer(result, persistent=tensor.persistent)
    result.requires_grad = tensor.requires_grad
    for name, value in own_attributes(tensor).items():
        setattr(result, name, value)
    return result


def overlapping(arrays: dict[str, np.ndarray]) -> list[str]:
    """The names of arrays whose memory overlaps that of another, without the first of each group."""
    order = {name: i for i, name in enumerate(arrays)}
    spans = [(*np.lib.array_utils.byte_bounds(array), name) for name, array in arrays.items() if array.size]
    result, stop, holder = set(), -1, ""
    for low, high, name in sorted(spans):
        if low < stop:
            result.add(max(holder, name, key=order.__getitem__))
        if high > stop:
            stop, holder = high, name
    return sorted(result, key=order.__getitem__)


def refuse_repetition(arrays: Iterable[np.ndarray]) -> None:
    """Raises ValueError for views that repeat a little memory as if it were terabytes, before they are written out."""
    arrays = [array for array in arrays if array.size]
    held = sum(high - low for low, high in {np.lib.array_utils.byte_bounds(array) for array in arrays})
    written = sum(array.nbytes for array in arrays)
    if written > 10 * held + 10**9:
        raise ValueError(
            f"the tensors repeat {human(held)} of memory so often that {human(written)} would be written; convert "
            "to .pt and without --dtype, which keeps them as views"
        )
