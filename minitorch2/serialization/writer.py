"""save: checkpoints that torch.load(weights_only=True) opens, written without torch."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any, BinaryIO

from .atomic import atomic_write
from .pickler import Pickler
from .zip_writer import ALIGNMENT, ZipWriter


def save(
    obj: Any,
    f: str | os.PathLike[str] | BinaryIO,
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Saves nested dicts, lists, tuples, numbers, strings and tensors in torch's zip format.

    Tensors that are views of one buffer share one storage in the file, which is the whole buffer: save
    `t.clone()` to store a small view alone. The same object gives the same bytes. A path is replaced
    atomically: whatever happens, it holds either the old file or the whole new one.

    Args:
        obj: what to save, e.g. model.state_dict() or {"model": ..., "optimizer": ..., "epoch": 3}.
        f: a path, or an object with `write`.
        pickle_module, pickle_protocol: only their defaults; nothing else can be read safely.

    Raises:
        pickle.PicklingError: `obj` contains something that is not data; the message names its place.
        RuntimeError: the folder does not exist; tensors of different dtypes share memory.
        OSError: the file cannot be written; what was there before is intact.

    Source: torch.save.
    """
    if pickle_module not in (pickle, None):
        raise NotImplementedError("minitorch2.save writes its pickle itself; leave pickle_module out")
    if pickle_protocol != 2:
        raise NotImplementedError(
            f"minitorch2.save: pickle_protocol={pickle_protocol} is not supported; use 2, torch's default"
        )
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("minitorch2.save writes the zip format only (torch reads it since 1.6)")
    if isinstance(f, str | os.PathLike):
        path = os.fspath(f)
        parent = os.path.dirname(path)
        if parent and not os.path.isdir(parent):
            raise RuntimeError(f"Parent directory {parent} does not exist; create it with os.makedirs")
        pickler = Pickler()
        data = pickler.dump(obj)  # before the file is touched: most errors are here
        with atomic_write(path) as file:
            _write(file, _folder_name(path), data, pickler, _disable_byteorder_record)
        return
    if not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    pickler = Pickler()
    data = pickler.dump(obj)
    _write(f, "archive", data, pickler, _disable_byteorder_record)
    if hasattr(f, "flush"):
        f.flush()


def _write(file: Any, folder: str, data: bytes, pickler: Pickler, without_byteorder: bool) -> None:
    archive = ZipWriter(file, folder)
    archive.write_record("data.pkl", data)
    archive.write_record(".format_version", b"1")
    archive.write_record(".storage_alignment", str(ALIGNMENT).encode())
    if not without_byteorder:
        archive.write_record("byteorder", sys.byteorder.encode())
    for storage in pickler.storages.storages:
        archive.write_record(f"data/{storage.key}", storage.bytes.data)
    archive.write_record("version", b"3\n")
    archive.write_record(".data/serialization_id", archive.content_id().encode())
    archive.finish()


def _folder_name(path: str) -> str:
    """The folder inside the archive: the file's name without its extension, where that is plain ASCII."""
    name = os.path.splitext(os.path.basename(path))[0]
    plain = name.isascii() and name.isprintable() and "\\" not in name and name.strip(". ") == name
    return name if plain and name else "archive"
