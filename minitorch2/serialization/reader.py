"""load: checkpoints of torch.save, read without torch and without trusting them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from ..core.dtypes import dtype
from . import legacy
from .builders import TABLE
from .errors import damaged
from .formats import reader_by_name, refuse_other_formats, way_out
from .plain import check_plain
from .storages import Storage, check_fits, check_persistent_id, restore_location, storage_from_bytes
from .unpickler import Unpickler
from .zip_reader import ZipReader

_ZIP_MAGIC = b"PK\x03\x04"


def load(
    f: str | os.PathLike[str] | BinaryIO,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    verify: bool = True,
    encoding: str = "utf-8",
) -> Any:
    """Loads an object saved with torch.save or minitorch2.save.

    Args:
        f: a path, or a seekable binary file object; the checkpoint runs from its position to its end. A path
            that ends in .safetensors, .npz or .index.json (the index of a sharded checkpoint) is read in that
            format and gives {name: tensor}; .npy gives one tensor.
        map_location: where storages go, as in torch: None, a device or its name, a dict from the file's
            locations to others, or a function (storage, location) -> storage or None. Files saved on a GPU
            need 'cpu'.
        pickle_module: only None; a pickle module would run code from the file.
        weights_only: only True (or None, the same).
        mmap: map the storages from the file (a path) instead of reading them: files larger than the memory
            work, pages are read when used, writing to a tensor changes a private copy of the page.
        verify: check every record's checksum. With mmap=True this reads the whole file once; verify=False
            makes mapping immediate, and damage to the tensors' bytes then goes unnoticed.
        encoding: how Python 2 strings are decoded; 'bytes' leaves them bytes.

    Returns: the saved nest of dicts, lists, numbers, strings and tensors. Tensors that shared a storage share
        one NumPy buffer again.

    Raises:
        pickle.UnpicklingError: the file asks for something that is not plain data, or makes no sense.
        RuntimeError: the archive is damaged; the tensors are of a device that is not there; a kind of tensor
            that is not supported (NotImplementedError).
        EOFError: the file is empty or ends too early.  OSError: it cannot be read.

    Source: torch.load.
    """
    if weights_only not in (True, None):
        raise RuntimeError(
            "minitorch2.load never runs code from a file, so weights_only=False is not supported: leave it "
            "out. If the file holds objects of your own classes, list them in "
            "minitorch2.serialization.add_safe_globals([...]); a whole pickled nn.Module must be saved "
            "again as model.state_dict()"
        )
    if pickle_module is not None:
        raise RuntimeError(
            "Can not safely load weights when explicit pickle_module is specified: minitorch2 reads pickles "
            "with a machine of its own; leave pickle_module out"
        )
    if not isinstance(f, str | os.PathLike):
        _check_seekable(f)
        if mmap:
            raise ValueError("f must be a file path in order to use the mmap argument")
        return _load(f, map_location, False, verify, encoding)
    read_other = reader_by_name(os.fsdecode(f))
    if read_other is not None:
        return read_other(f, restore_location(map_location), bool(mmap), verify)
    with open(f, "rb") as file:
        return _load(file, map_location, bool(mmap), verify, encoding)


def _load(file: BinaryIO, map_location: Any, mmap: bool, verify: bool, encoding: str) -> Any:
    refuse_other_formats(file)
    position = file.tell()
    magic = file.read(len(_ZIP_MAGIC))
    file.seek(position)
    restore = restore_location(map_location)
    if magic == _ZIP_MAGIC:
        result = load_zip(_open_archive(file, verify), restore, mmap, encoding)
    else:
        result = legacy.load(file, restore, mmap, encoding)
    check_plain(result)
    return result


def _open_archive(file: BinaryIO, verify: bool) -> ZipReader:
    """The archive from the file's position on. Raises RuntimeError: another format by its name, before its faults."""
    position = file.tell()
    try:
        archive = ZipReader(file, verify)
        _check_records(archive)
        return archive
    except RuntimeError as error:  # of torch.save's files it is a fault to be compressed; of programs and arrays, none
        file.seek(position)
        other = way_out(file, "torch")
        if other:
            raise RuntimeError(f"minitorch2.load: {other}") from error
        raise


def load_zip(
    archive: ZipReader,
    restore: Callable[[Storage, str], Storage],
    mmap: bool,
    encoding: str,
    machine: Callable[..., Unpickler] = Unpickler,
) -> Any:
    """The object in an archive; `machine` reads its pickle (examine.py has another)."""
    _check_records(archive)
    swap = _byte_order(archive) != sys.byteorder
    storages: dict[str, tuple[Storage, dtype]] = {}  # by key, with the dtype first asked for

    def persistent_load(saved: Any) -> Storage:
        kind, key, location, numel = check_persistent_id(saved, 5)
        if key in storages:
            storage, first_dtype = storages[key]
            if first_dtype is not kind.dtype or storage.array.size != numel:
                damaged(f"the storage '{key}' is described in two ways")
            return storage
        name = f"data/{key}"
        if name not in archive.records:
            raise RuntimeError(
                f"minitorch2.load: the archive lacks the record '{name}' that a tensor needs; the file is "
                "damaged or was cut apart; copy or download it again"
            )
        check_fits(archive.records[name].size, kind.dtype, numel, name)
        data = archive.map_array(name) if mmap else archive.read_array(name)
        storage = restore(storage_from_bytes(data, kind.dtype, numel, location, swap), location)
        storages[key] = storage, kind.dtype
        return storage

    return machine(io.BytesIO(archive.read("data.pkl")), TABLE, persistent_load, encoding).load()


def _check_records(archive: ZipReader) -> None:
    if "constants.pkl" in archive.records:
        raise RuntimeError(
            "minitorch2.load: this is a TorchScript archive, which holds a program; save model.state_dict() "
            "with torch.save instead"
        )
    if "data.pkl" not in archive.records:
        raise RuntimeError("minitorch2.load: the zip archive has no data.pkl, so torch.save did not write it")


def _byte_order(archive: ZipReader) -> str:
    """'little' or 'big'; torch before 2.1 wrote no such record and was little-endian."""
    if "byteorder" not in archive.records:
        return "little"
    order = archive.read("byteorder") if archive.records["byteorder"].size < 100 else b""
    if order not in (b"little", b"big"):
        raise ValueError(f"Unknown endianness type: {order!r}; expected 'little' or 'big'")
    return order.decode()


def _check_seekable(f: Any) -> None:
    try:
        f.seek(f.tell())
        f.read(0)
    except (AttributeError, io.UnsupportedOperation) as error:
        raise type(error)(
            f"{error}. You can only load from a path or from a binary file that is seekable; read the data "
            "into an io.BytesIO first"
        ) from error
