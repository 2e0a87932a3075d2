"""Telling file formats apart by their first bytes and, for zip archives, by the names inside."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

# What a file is called in messages, by the kind `kind_of` says.
NAMES = {
    "empty": "an empty file",
    "torch": "a checkpoint of torch.save (zip format)",
    "legacy": "a checkpoint of torch.save (format before torch 1.6)",
    "pickle": "a plain pickle",
    "torchscript": "a TorchScript archive",
    "exported": "a program of torch.export",
    "tar": "a checkpoint of torch 0.1 (tar format)",
    "safetensors": "a safetensors file",
    "npz": "a NumPy .npz archive",
    "npy": "a NumPy .npy array",
    "zip": "a zip archive of something else",
    "unknown": "no file format known here",
}

_LEGACY_MAGIC = (b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"L119547037146038801333356L\n.")  # in pickle protocols 2 and 1
_MAX_TABLE = 100_000_000  # bytes; the limit of the safetensors format


def kind_of(file: BinaryIO) -> str:
    """Which of NAMES the file is, from its position on; the position is left as it was. Never raises for content."""
    position = file.tell()
    try:
        head = file.read(512)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _kind_of_zip(file)
    finally:
        file.seek(position)
    if not head:
        return "empty"
    if any(magic in head[:40] for magic in _LEGACY_MAGIC):
        return "legacy"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _MAX_TABLE:
        return "safetensors"
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return "pickle"
    return "unknown"


def _kind_of_zip(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # zipfile raises half a dozen kinds; a broken archive gets its error from its reader
        return "zip"
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner:
        return "torchscript"
    if "archive_format" in inner or "models/model.json" in inner:
        return "exported"
    if "data.pkl" in inner:
        return "torch"
    return "npz" if all(name.endswith(".npy") for name in names) else "zip"


_WAYS_OUT = {
    "safetensors": "name it *.safetensors, or load it with minitorch2.serialization.safetensors.load_file(path)",
    "npz": "name it *.npz, or load it with minitorch2.serialization.npz.load_file(path)",
    "npy": "name it *.npy, or load it with minitorch2.serialization.npz.load_array(path)",
    "torch": "name it *.pt and load it with minitorch2.load(path)",
    "legacy": "name it *.pt and load it with minitorch2.load(path)",
    "torchscript": "it holds a program; save model.state_dict() with torch.save instead",
    "exported": "it holds a program; save program.state_dict with torch.save instead",
}


def way_out(file: BinaryIO, expected: str) -> str | None:
    """If the file is of another known kind than `expected`: what it is, and how it is loaded; else None."""
    kind = kind_of(file)
    if kind == expected or kind not in _WAYS_OUT:
        return None
    return f"this is {NAMES[kind]}: {_WAYS_OUT[kind]}"


def refuse_other_formats(file: BinaryIO) -> None:
    """Raises RuntimeError for a file that minitorch2.load reads by another name than it was given."""
    position = file.tell()
    head = file.read(512)
    file.seek(position)
    if head.startswith(b"PK\x03\x04") and b".npy" not in head:  # torch.save's, almost always: no second look
        return
    if kind_of(file) in ("safetensors", "npz", "npy"):
        raise RuntimeError(f"minitorch2.load: {way_out(file, 'torch')}")


def reader_by_name(name: str) -> Callable[..., Any] | None:
    """The function (path, restore, mmap, verify) that reads a file of that name, or None for torch.save's own.

    The readers are imported when asked for: most loads are of torch.save's files.
    """
    if name.endswith(".safetensors"):
        from .safetensors import read

        return read
    if name.endswith(".index.json"):
        from .sharded import read

        return read
    if name.endswith(".npz"):
        from .npz import read

        return read
    if name.endswith(".npy"):
        from .npz import read_array

        return read_array
    return None
