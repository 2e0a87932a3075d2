"""Storages (flat buffers of one dtype), the views tensors are of them, and where they may be restored."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch2_kernels.dispatch import namespace, on_device

from ..core import dtypes
from ..core.device import CPU, META, check_available, device, device_of, has_gpu, moved
from ..core.meta import described
from .errors import damaged

# How checkpoint files name the storage of each dtype: torch.FloatStorage and so on.
STORAGE_NAMES = {d.torch_type + "Storage": d for d in dtypes.ALL}
UNSUPPORTED_STORAGES = frozenset(
    {
        "ComplexFloatStorage",
        "ComplexDoubleStorage",
        "ComplexHalfStorage",
        "QInt8Storage",
        "QUInt8Storage",
        "QInt32Storage",
        "QUInt4x2Storage",
        "QUInt2x4Storage",
    }
)


# Bytes up to which a storage is read that cannot be used at full speed where it is mapped. Larger ones stay there:
# NumPy computes on unaligned arrays too, and the file may be larger than the memory.
_READ = 1 << 24


class Storage:
    """A flat buffer: `array` has shape (numel,) and the NumPy dtype of `dtype`; `location` as in the file.

    What a `map_location` callable receives; returning it (or `storage.cpu()`) keeps the storage on the CPU,
    `storage.cuda()` brings it to a GPU.
    """

    def __init__(self, array: Any, dtype: dtypes.dtype, location: str):
        self.array = array
        self.dtype = dtype
        self.location = location

    @property
    def device(self) -> device:
        return device_of(self.array)

    def cpu(self) -> Storage:
        return self.to(CPU)

    def cuda(self, where: Any = None) -> Storage:
        return self.to(check_available("cuda" if where is None else where))

    def to(self, where: device) -> Storage:
        """The storage there: itself if that is where it is, else a copy."""
        return self if self.device == where else Storage(moved(self.array, where), self.dtype, self.location)

    def nbytes(self) -> int:
        return self.array.nbytes

    def size(self) -> int:
        return self.array.size

    def __len__(self) -> int:
        return self.array.size

    def __repr__(self) -> str:
        return f"Storage(dtype={self.dtype}, size={self.array.size}, location={self.location!r})"


class StorageType:
    """torch.FloatStorage and its kin, as files name them; an untyped one counts bytes."""

    def __init__(self, dtype: dtypes.dtype):
        self.dtype = dtype


def check_persistent_id(saved: Any, length: int) -> tuple[StorageType, str, str, int]:
    """(storage type, key, location, numel) of a persistent id, which must be one of a storage."""
    if type(saved) is not tuple or len(saved) != length or saved[0] not in ("storage", b"storage"):
        damaged("the pickle refers to something outside it that is no storage")
    kind, key, location, numel = saved[1:5]
    key, location = (s.decode("latin1") if type(s) is bytes else s for s in (key, location))  # written by Python 2
    names_are_text = type(key) is str and type(location) is str
    if not (isinstance(kind, StorageType) and names_are_text and type(numel) is int and numel >= 0):
        damaged("a storage is not described by its type, key, location and size")
    return kind, key, location, numel


def check_fits(nbytes: int, dtype: dtypes.dtype, numel: int, name: str) -> None:
    """Raises UnpicklingError unless a record of `nbytes` bytes holds just `numel` elements of `dtype`."""
    # It may be longer by less than one element: a tensor can be a view of bytes of any number.
    if not 0 <= nbytes - numel * dtype.itemsize < dtype.itemsize:
        damaged(f"the record '{name}' has {nbytes} bytes, but its tensor says {numel} elements of {dtype}")


def storage_from_bytes(data: np.ndarray, dtype: dtypes.dtype, numel: int, location: str, swap: bool) -> Storage:
    """Interprets a uint8 array of shape (nbytes,) as `numel` elements of `dtype`, in place if it is aligned.

    `swap`: the bytes are in the other order than this machine's.
    """
    array = data[: numel * dtype.itemsize].view(dtype.numpy)
    if not array.flags.aligned and array.nbytes <= _READ:  # mapped from an odd place in the file: read it instead
        array = array.copy()
    if swap and dtype.itemsize > 1:
        array.view(f"u{dtype.itemsize}").byteswap(inplace=True)
    if dtype is dtypes.bool and array.view(np.uint8).max(initial=0) > 1:
        damaged("a bool tensor contains bytes other than 0 and 1")
    return Storage(array, dtype, location)


def view(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """The strided view of a storage a tensor is: `offset` and `stride` in elements, bounds checked.

    Raises: UnpicklingError if any element would lie outside the storage.
    """
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        damaged(f"a tensor has offset {offset!r}, size {size!r} and stride {stride!r}, which make no sense")
    dtype, numel = storage.dtype.numpy, storage.array.size
    if 0 in size:
        offset = last = 0
        strides = [0] * len(size)
    else:
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
        # A dimension of one element has a stride that is never used and may be anything.
        strides = [s * dtype.itemsize if n > 1 else dtype.itemsize for n, s in zip(size, stride, strict=True)]
    if last > numel or math.prod(size) * dtype.itemsize >= 2**63 or len(size) > 64:
        damaged(f"a tensor of size {size}, stride {stride} and offset {offset} does not fit its {numel} elements")
    if on_device(storage.array):
        if 0 in size:
            return namespace(storage.array).empty(size, dtype)
        return namespace(storage.array).lib.stride_tricks.as_strided(storage.array[offset:], size, strides)
    array = np.ndarray(size, dtype, storage.array, offset * dtype.itemsize, strides)
    return described(array) if storage.device == META else array


def restore_location(map_location: Any) -> Callable[[Storage, str], Storage]:
    """torch.load's `map_location` as one function (storage, the file's location) -> storage where it is to be."""
    if map_location is None:
        return restore
    if isinstance(map_location, dict):
        return lambda storage, location: restore(storage, map_location.get(location, location))
    if isinstance(map_location, str | bytes | device):
        target = map_location.decode("ascii") if isinstance(map_location, bytes) else str(map_location)
        return lambda storage, location: restore(storage, target)
    if not callable(map_location):
        raise TypeError(
            "minitorch2.load: map_location must be None, a string, a device, a dict or a function, got "
            f"{type(map_location).__name__}"
        )

    def call(storage: Storage, location: str) -> Storage:
        result = map_location(storage, location)
        if result is not None and not isinstance(result, Storage):
            raise TypeError(
                "minitorch2.load: map_location must return None or the storage it was given, got "
                f"{type(result).__name__}"
            )
        return restore(storage, location) if result is None else result

    return call


def restore(storage: Storage, location: Any) -> Storage:
    """`storage` at its location: itself on the CPU; RuntimeError, as torch's, for a device there is not."""
    name = str(location)
    if name == "cpu":
        return storage
    kind = name.partition(":")[0]
    if kind == "cuda" and has_gpu():
        return storage.cuda(device(name))
    if kind in ("cuda", "mps", "xpu", "hpu", "mtia"):
        raise RuntimeError(
            f"Attempting to deserialize object on a {kind.upper()} device but minitorch2 finds none here "
            f"(the file or map_location says '{name}'); pass map_location='cpu' to load it to the CPU"
        )
    if kind == "meta":
        return storage.to(META)
    raise RuntimeError(
        f"don't know how to restore data location of a {storage.dtype} storage (tagged with {name}); "
        "pass map_location='cpu'"
    )
