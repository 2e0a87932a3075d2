"""Reading the format torch.save wrote before 1.6: pickles one after another, then the storages' bytes.

    magic number | protocol version | system info | the object | the storages' keys | (numel, bytes) of each

There are no checksums in it, so damage to the bytes of a tensor cannot be noticed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from .builders import TABLE
from .errors import damaged
from .storages import Storage, check_persistent_id, storage_from_bytes
from .unpickler import Unpickler

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class _BoundedReader:
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


def load(file: BinaryIO, restore: Callable[[Storage, str], Storage], encoding: str) -> Any:
    """The object in `file`, from its position on. Errors as minitorch2.load's."""
    _refuse_other_files(file)
    reader = _BoundedReader(file)
    if Unpickler(reader, {}).load() != _MAGIC:
        raise RuntimeError(
            "Invalid magic number; corrupt file? torch.save did not write this; a plain pickle can be read "
            "with pickle.load if you trust it"
        )
    if Unpickler(reader, {}).load() != _PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: only {_PROTOCOL} is known; save again with a newer torch")
    Unpickler(reader, {}).load()  # the writer's sizes of C types; the bytes are little-endian in any case

    storages: dict[str, Storage] = {}
    promised = 0

    def persistent_load(saved: Any) -> Storage:
        nonlocal promised
        kind, key, location, numel = check_persistent_id(saved, 6)
        if key not in storages:
            promised += numel * kind.dtype.itemsize
            if promised > reader.left:
                raise EOFError(
                    f"minitorch2.load: the tensors need {promised} bytes, the file has {reader.left} left; "
                    "it was cut short"
                )
            data = np.zeros(numel * kind.dtype.itemsize, np.uint8)
            storage = storage_from_bytes(data, kind.dtype, numel, location, False)
            storages[key] = restore(storage, location)
        root = storages[key]
        if root.dtype is not kind.dtype or root.array.size != numel:
            damaged(f"the storage '{key}' is described in two ways")
        return root if saved[5] is None else _part(root, saved[5])

    result = Unpickler(reader, TABLE, persistent_load, encoding).load()
    keys = Unpickler(reader, {}).load()
    if type(keys) is not list or len(keys) != len(storages) or set(map(str, keys)) != set(storages):
        damaged("the file's list of storages is not that of its tensors")
    for key in keys:
        _fill(storages[str(key)], reader)
    return result


def _part(root: Storage, metadata: Any) -> Storage:
    """A view of a storage, which files of the first torch versions have."""
    if type(metadata) is not tuple or len(metadata) != 3:
        damaged("a view of a storage is not described by a key, an offset and a size")
    _, offset, numel = metadata
    if type(offset) is not int or type(numel) is not int or not 0 <= offset <= offset + numel <= root.array.size:
        damaged("a view of a storage reaches beyond it")
    return Storage(root.array[offset : offset + numel], root.dtype, root.location)


def _fill(storage: Storage, reader: _BoundedReader) -> None:
    count = int.from_bytes(reader.read(8), "little")
    if count != storage.array.size:
        damaged(f"a storage has {count} elements where its tensor says {storage.array.size}")
    data = reader.read(storage.array.nbytes)
    if len(data) != storage.array.nbytes:
        raise EOFError("minitorch2.load: the file ends inside a tensor; it was cut short")
    # Through storage_from_bytes, for the checks it makes of the bytes themselves.
    filled = storage_from_bytes(np.frombuffer(data, np.uint8), storage.dtype, count, storage.location, False)
    storage.array[...] = filled.array


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
    if not head.startswith(b"\x80"):
        raise pickle.UnpicklingError(
            f"Weights only load failed: this is no checkpoint, it begins with {head[:20]!r}; was a web page "
            "or an error message saved in its place?"
        )
