"""Reading the format torch.save wrote before 1.6: pickles one after another, then the storages' bytes.

    magic number | protocol version | system info | the object | the storages' keys | (numel, bytes) of each

There are no checksums in it, so damage to the bytes of a tensor cannot be noticed.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from minitorch2_kernels.dispatch import on_device

from .builders import TABLE
from .errors import damaged
from .mapping import addresses, map_file
from .storages import Storage, check_persistent_id, storage_from_bytes
from .unpickler import Unpickler

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_CHUNK = 1 << 24  # bytes read at a time
_SWAP = sys.byteorder != "little"


class BoundedReader:
    """Never asks the file for more than it has: a read buffer is allocated for what is asked."""

    def __init__(self, file: BinaryIO):
        self.file = file
        position = file.tell()
        self.left = file.seek(0, 2) - position
        file.seek(position)

    def read(self, size: int) -> bytes:
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data

    def readline(self, size: int) -> bytes:
        data = self.file.readline(min(size, self.left))
        self.left -= len(data)
        return data

    def count(self) -> int:
        """The number of elements before a storage's bytes."""
        data = self.read(8)
        if len(data) != 8:
            raise EOFError("minitorch2.load: the file ends before a tensor; it was cut short")
        return int.from_bytes(data, "little")

    def skip(self, nbytes: int) -> None:
        if nbytes > self.left:
            raise EOFError("minitorch2.load: the file ends inside a tensor; it was cut short")
        self.file.seek(nbytes, 1)
        self.left -= nbytes


def load(
    file: BinaryIO,
    restore: Callable[[Storage, str], Storage],
    mmap: bool,
    encoding: str,
    machine: Callable[..., Unpickler] = Unpickler,
) -> Any:
    """The object in `file`, from its position on. Errors as minitorch2.load's.

    mmap: storages are mapped from the file, copy on write. Where they lie follows only from the list behind
    the pickle, so the pickle is read twice. `machine` reads the pickles (examine.py has another).
    """
    _refuse_other_files(file)
    reader = BoundedReader(file)
    if machine(reader, {}).load() != MAGIC:
        raise RuntimeError(
            "Invalid magic number; corrupt file? torch.save did not write this; a plain pickle can be read "
            "with pickle.load if you trust it"
        )
    if machine(reader, {}).load() != _PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: only {_PROTOCOL} is known; save again with a newer torch")
    machine(reader, {}).load()  # the writer's sizes of C types; the bytes are little-endian in any case
    start, left = file.tell(), reader.left
    where_they_are = (lambda storage, location: storage) if mmap else restore  # a first pass only finds the places
    storages = _Storages(reader, where_they_are, _placeholder if mmap else _zeros)
    result = machine(reader, TABLE, storages.load, encoding).load()
    places = {}
    for key, storage in storages.listed(machine).items():
        if reader.count() != storage.array.size:
            damaged(f"the storage '{key}' has another number of elements than its tensor says")
        places[key] = file.tell()
        if mmap:
            reader.skip(storage.array.nbytes)
        else:
            _fill(storage, reader)
    if not mmap:
        return result
    mapped = map_file(file)
    file.seek(start)
    reader.left = left
    storages = _Storages(reader, restore, lambda key, nbytes: np.frombuffer(mapped, np.uint8, nbytes, places[key]))
    return machine(reader, TABLE, storages.load, encoding).load()


def _zeros(key: str, nbytes: int) -> np.ndarray:
    return np.zeros(nbytes, np.uint8)  # takes no memory until it is filled


def _placeholder(key: str, nbytes: int) -> np.ndarray:
    return np.frombuffer(addresses(nbytes), np.uint8) if nbytes else np.empty(0, np.uint8)


class _Storages:
    """The storages a pickle refers to, by key; `allocate(key, nbytes)` gives the memory of each, as bytes."""

    def __init__(
        self,
        reader: BoundedReader,
        restore: Callable[[Storage, str], Storage],
        allocate: Callable[[str, int], np.ndarray],
    ):
        self.reader = reader
        self.restore = restore
        self.allocate = allocate
        self.by_key: dict[str, Storage] = {}
        self.promised = 0

    def load(self, saved: Any) -> Any:
        """What a persistent id stands for: a storage, the part of one, or a module's class (beside its source)."""
        if type(saved) is tuple and len(saved) == 4 and saved[0] in ("module", b"module"):
            if not isinstance(saved[1], type):  # a class can only have come from the reader's safe_globals
                damaged("a module's class is missing")
            return saved[1]
        kind, key, location, numel = check_persistent_id(saved, 6)
        if key not in self.by_key:
            nbytes = numel * kind.dtype.itemsize
            self.promised += nbytes
            if self.promised > self.reader.left:
                raise EOFError(
                    f"minitorch2.load: the tensors need {self.promised} bytes, the file has {self.reader.left} "
                    "left; it was cut short"
                )
            storage = storage_from_bytes(self.allocate(key, nbytes), kind.dtype, numel, location, _SWAP)
            self.by_key[key] = self.restore(storage, location)
        root = self.by_key[key]
        if root.dtype is not kind.dtype or root.array.size != numel:
            damaged(f"the storage '{key}' is described in two ways")
        part = saved[-1]
        return root if part is None else _part(root, part)

    def listed(self, machine: Callable[..., Unpickler]) -> dict[str, Storage]:
        """The storages in the order in which their bytes follow, which is what the next pickle in the file says."""
        keys = machine(self.reader, {}).load()
        if type(keys) is not list or len(keys) != len(self.by_key) or set(map(str, keys)) != set(self.by_key):
            damaged("the file's list of storages is not that of its tensors")
        return {str(key): self.by_key[str(key)] for key in keys}


def _part(root: Storage, metadata: Any) -> Storage:
    """A view of a storage, which files of the first torch versions have."""
    if type(metadata) is not tuple or len(metadata) != 3:
        damaged("a view of a storage is not described by a key, an offset and a size")
    _, offset, numel = metadata
    if type(offset) is not int or type(numel) is not int or not 0 <= offset <= offset + numel <= root.array.size:
        damaged("a view of a storage reaches beyond it")
    return Storage(root.array[offset : offset + numel], root.dtype, root.location)


def _fill(storage: Storage, reader: BoundedReader) -> None:
    array = np.empty(storage.array.shape, storage.array.dtype) if on_device(storage.array) else storage.array
    data = array.view(np.uint8)
    for start in range(0, data.size, _CHUNK):
        chunk = data[start : start + _CHUNK]
        read = reader.read(chunk.size)
        if len(read) != chunk.size:
            raise EOFError("minitorch2.load: the file ends inside a tensor; it was cut short")
        chunk[...] = np.frombuffer(read, np.uint8)
    # For what it does with the bytes themselves: their order, and the check of bools.
    storage_from_bytes(data, storage.dtype, storage.array.size, storage.location, _SWAP)
    if array is not storage.array:
        storage.array.set(array)


def _refuse_other_files(file: BinaryIO) -> None:
    position = file.tell()
    head = file.read(512)
    file.seek(position)
    if not head:
        raise EOFError("minitorch2.load: ran out of input: the file is empty")
    if head[257:262] == b"ustar":
        raise RuntimeError(
            "minitorch2.load: this is the tar format of torch 0.1, which is not supported; load it with "
            "torch and save it again"
        )
    if not head.startswith((b"\x80", b"L%d" % MAGIC)):  # pickle protocol 1 has no first byte of its own
        raise pickle.UnpicklingError(
            f"Weights only load failed: this is no checkpoint, it begins with {head[:20]!r}; was a web page "
            "or an error message saved in its place?"
        )
