"""The memory under tensors, as bytes: untyped_storage, and files that are memory."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy as np

from minitorch2_kernels.dispatch import on_device

from ..core.device import device_of
from ..core.dtypes import ALL, as_dtype, get_default_dtype
from ..core.function import Function
from ..core.memory_order import memory_of
from ..core.variable import Variable
from ._data import legacy_array


class UntypedStorage:
    """The memory that a tensor and its views share, as bytes.

    `storage[i]` is a byte, `storage[i:j]` the storage of a part; both can be written. torch.asarray(storage, dtype=...)
    is a tensor over it.
    """

    def __init__(self, tensor):
        """Of a tensor; of so many bytes, not initialised, where it is a number."""
        self._tensor = Function.as_tensor(np.empty(tensor, np.uint8)) if isinstance(tensor, int) else tensor

    @classmethod
    def from_file(cls, filename, shared=False, nbytes=0) -> UntypedStorage:
        """The first `nbytes` of a file, read when they are looked at; what is written stays in this process, or with
        shared=True goes to the file, which is made and made longer if need be.

        RuntimeError for a file that cannot be opened or, unless shared, is too short.
        """
        return cls(Function.as_tensor(_mapped(filename, shared, nbytes)))

    def bytes(self):
        """As an array (nbytes,) of uint8 over the same memory."""
        data = self._tensor._data
        if not data.flags.forc:
            raise NotImplementedError("minitorch2: the bytes of memory with gaps; call .contiguous() on the tensor")
        return data.ravel(order="K").view(np.uint8)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._tensor.data_ptr()

    def nbytes(self) -> int:
        """How many bytes there are."""
        return self._tensor._data.nbytes

    size = __len__ = nbytes

    def __sizeof__(self) -> int:
        """The bytes of the object and of the memory."""
        return object.__sizeof__(self) + self.nbytes()

    def element_size(self) -> int:
        return 1

    def untyped(self) -> UntypedStorage:
        return self

    def clone(self) -> UntypedStorage:
        """The same bytes in memory of their own."""
        return UntypedStorage(Function.as_tensor(self.bytes().copy()))

    def copy_(self, source, non_blocking=None) -> UntypedStorage:
        """Writes another's bytes, as many, over these. RuntimeError for another number of them."""
        if source.nbytes() != self.nbytes():
            raise RuntimeError(
                f"size does not match, self was {self.nbytes()} bytes but src was {source.nbytes()} bytes"
            )
        self.bytes()[:] = source.untyped().bytes()
        return self

    def fill_(self, value) -> UntypedStorage:
        """Writes the last eight bits of a number into every byte."""
        self.bytes()[:] = value & 255
        return self

    @property
    def device(self):
        """Where they lie."""
        return device_of(self._tensor._data)

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        found = self.bytes()
        return (found.get() if on_device(found) else found).tolist()

    def _place(self, index):
        if isinstance(index, slice):
            if index.step not in (None, 1):
                raise RuntimeError(f"Trying to slice with a step of {index.step}, but only a step of 1 is supported")
            return index
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return index

    def __getitem__(self, index):
        found = self.bytes()[self._place(index)]
        return UntypedStorage(Function.as_tensor(found)) if isinstance(index, slice) else int(found)

    def __setitem__(self, index, value) -> None:
        if not isinstance(value, int):
            kind = type(value).__name__
            raise RuntimeError(f"can only set storage content with a int types, but got {kind} instead")
        self.bytes()[self._place(index)] = value

    def __repr__(self) -> str:
        numbers = "\n".join(f" {number}" for number in self.tolist())
        return f"{numbers}\n[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


class TypedStorage:
    """The memory that a tensor and its views share, as numbers of a dtype: torch's older look at it.

    `storage[i]` is a number and can be written.
    """

    def __init__(self, untyped: UntypedStorage, dtype) -> None:
        self._untyped, self.dtype = untyped, dtype

    def _numbers(self):
        """As a tensor (size,) on the same memory."""
        return Function.as_tensor(self._untyped.bytes().view(self.dtype.numpy))

    def untyped(self) -> UntypedStorage:
        return self._untyped

    @property
    def device(self):
        """Where it lies."""
        return self._untyped.device

    def data_ptr(self) -> int:
        """The address of the first number."""
        return self._untyped.data_ptr()

    def element_size(self) -> int:
        return self.dtype.itemsize

    def nbytes(self) -> int:
        return self._untyped.nbytes()

    def size(self) -> int:
        """How many numbers there are."""
        return self.nbytes() // self.element_size()

    __len__ = size

    def tolist(self) -> list:
        return self._numbers().tolist()

    def __iter__(self):
        return iter(self.tolist())

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self._numbers()[index].item()

    def __setitem__(self, index, value) -> None:
        self._numbers()[index] = value

    def __repr__(self) -> str:
        numbers = "\n ".join(str(number) for number in self.tolist())
        return f" {numbers}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {len(self)}]"


class _Kind(type):
    dtype: Any

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


class _OldStorage(TypedStorage, metaclass=_Kind):
    """torch.FloatStorage and its like: FloatStorage(3) is a TypedStorage of so many numbers, not initialised,
    FloatStorage([1, 2]) one of these, and `wrap_storage` bytes seen as such; isinstance asks for the dtype."""

    def __new__(cls, *args, wrap_storage=None) -> Any:
        if len(args) > 1 or (args and wrap_storage is not None):
            raise RuntimeError(f"{cls}.__new__ takes nothing, an int, a sequence or wrap_storage=UntypedStorage")
        if args and isinstance(args[0], Variable):
            raise TypeError(f"{cls}.__new__ takes an int or a sequence, not a Tensor; see Tensor.untyped_storage")
        if wrap_storage is None:
            wrap_storage = UntypedStorage(Function.as_tensor(legacy_array(args, cls.dtype)))
        return TypedStorage(wrap_storage, cls.dtype)


@functools.cache
def storage_class(name: str) -> type | None:
    """The class of torch's name, such as FloatStorage; None where no dtype here has it."""
    for dtype in ALL:
        if name == f"{dtype.torch_type}Storage":
            return _Kind(name, (_OldStorage,), {"dtype": dtype, "__module__": "torch"})
    return None


def storage_type(self) -> type | None:
    """torch's class for the memory of tensors of this dtype."""
    return storage_class(f"{self.dtype.torch_type}Storage")


def is_storage(obj) -> bool:
    """Whether obj is the memory of a tensor, as bytes or as numbers."""
    return isinstance(obj, UntypedStorage | TypedStorage)


def _mapped(filename, shared, nbytes):
    try:
        size = os.path.getsize(filename)
    except OSError as error:
        if not shared:
            mode = f"unable to open file <{filename}> in read-only mode: {error.strerror} ({error.errno})"
            raise RuntimeError(mode) from error
        size = None
    if not shared and size < nbytes:
        raise RuntimeError(f"file <{filename}> size <{size}> is smaller than the required mapping size <{nbytes}>")
    if not nbytes:
        return np.empty(0, np.uint8)
    return np.asarray(
        np.memmap(filename, np.uint8, "c" if not shared else "w+" if size is None else "r+", shape=nbytes)
    )


def from_file(filename, shared=None, size=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """A 1-d tensor of `size` numbers over the beginning of a file, as UntypedStorage.from_file maps it."""
    if device is not None and str(device) != "cpu":
        raise NotImplementedError(f"minitorch2: from_file(device={str(device)!r}): files are mapped on the CPU")
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype, "from_file")
    return Function.as_tensor(_mapped(filename, bool(shared), size * dtype.itemsize).view(dtype.numpy))


def storage(self) -> TypedStorage:
    """The memory that this tensor and the tensors it is a view of share, as numbers: the older untyped_storage."""
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage "
        "class. This should only matter to you if you are using storages directly.  To access UntypedStorage directly, "
        "use tensor.untyped_storage() instead of tensor.storage()",
        UserWarning,
        stacklevel=2,
    )
    return TypedStorage(untyped_storage(self), self.dtype)


def untyped_storage(self):
    """The memory that this tensor and the tensors it is a view of share."""
    source = self if self._base is None else self._base
    memory = memory_of(source._data)
    return UntypedStorage(source if memory is source._data else Function.as_tensor(memory))
