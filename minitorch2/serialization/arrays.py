"""Which storage an array is a view of: the other way round of storages.view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch2_kernels.dispatch import on_device

from ..core import dtypes
from ..core.memory_order import owner_of


@dataclass(frozen=True, slots=True)
class SavedStorage:
    """`key` names its record; `bytes` is a uint8 view of shape (numel * itemsize,) of the memory."""

    key: str
    dtype: dtypes.dtype
    numel: int
    address: int
    bytes: np.ndarray


class StorageTable:
    """The storages of all arrays met so far; arrays that look into the same memory share one."""

    def __init__(self) -> None:
        self.storages: list[SavedStorage] = []
        self._by_memory: dict[tuple[int, int], SavedStorage] = {}
        self._fetched: dict[int, tuple[Any, np.ndarray]] = {}  # address on a GPU -> that memory, and its copy here

    def _from_gpu(self, array) -> np.ndarray:
        """The array as a view of a copy of its whole memory, fetched once for all arrays that look into it."""
        owner = array if array.base is None else array.base
        if not owner.flags.c_contiguous:
            owner = owner.T if owner.flags.f_contiguous else array.copy()
        address = owner.data.ptr
        if not address <= array.data.ptr < address + max(owner.nbytes, 1):  # a copy
            array = owner
        if address not in self._fetched:
            self._fetched[address] = owner, owner.get().reshape(-1)
        memory = self._fetched[address][1]
        return np.ndarray(array.shape, array.dtype, memory.view(np.uint8), array.data.ptr - address, array.strides)

    def locate(self, array: Any) -> tuple[SavedStorage, int, tuple[int, ...]]:
        """(storage, offset, stride) of an array, in elements; the storage is the whole memory it belongs to.

        An array torch cannot describe (backwards, or not at whole elements from the start of its memory) is
        copied into a storage of its own. Raises RuntimeError, as torch, if the memory is already saved under
        another dtype.
        """
        dtype = dtypes.from_numpy_dtype(array.dtype)
        if on_device(array):
            array = self._from_gpu(array) if array.size else array.get()
        if array.size == 0:
            return self._add(dtype, array.view(), 0, 0), 0, _contiguous_stride(array.shape)
        owner = owner_of(array)
        low, high = np.lib.array_utils.byte_bounds(owner)
        strides = [s if n > 1 else dtype.itemsize for n, s in zip(array.shape, array.strides, strict=True)]
        address = array.__array_interface__["data"][0]
        if any(s < 0 or s % dtype.itemsize for s in strides) or (address - low) % dtype.itemsize:
            array = owner = array.copy(order="C")
            low, high = np.lib.array_utils.byte_bounds(owner)
            address, strides = low, list(array.strides)
        storage = self._by_memory.get((low, high))
        if storage is None:
            storage = self._by_memory[low, high] = self._add(dtype, owner, low, (high - low) // dtype.itemsize)
        elif storage.dtype is not dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types: "
                f"{storage.dtype} and {dtype}; clone() one of them"
            )
        stride = _contiguous_stride(array.shape)
        if not array.flags.c_contiguous:
            stride = tuple(s // dtype.itemsize for s in strides)
        return storage, (address - low) // dtype.itemsize, stride

    def _add(self, dtype: dtypes.dtype, owner: np.ndarray, address: int, numel: int) -> SavedStorage:
        flat = np.lib.stride_tricks.as_strided(owner, (_span(owner) // owner.itemsize,), (owner.itemsize,))
        nbytes = numel * dtype.itemsize
        storage = SavedStorage(str(len(self.storages)), dtype, numel, address, flat.view(np.uint8)[:nbytes])
        self.storages.append(storage)
        return storage


def _span(array: np.ndarray) -> int:
    low, high = np.lib.array_utils.byte_bounds(array)
    return high - low if array.size else 0


def _contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    stride, step = [], 1
    for n in reversed(shape):
        stride.append(step)
        step *= max(n, 1)
    return tuple(reversed(stride))
