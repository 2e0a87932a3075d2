"""The idx format of MNIST: big-endian, a magic number, the dimensions, then the values (source: MNIST's home
page).

    byte 0-1  zero
    byte 2    the type of a value (0x08 unsigned byte, ...)
    byte 3    the number of dimensions
    then      one 32-bit size per dimension, then the values in C order
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import Protocol

import numpy as np

MAX_VALUES_BYTES = 1 << 30  # MNIST's largest file has 47 MB; a header that asks for more than this is taken for damage

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name).newbyteorder("="): code for code, name in _TYPES.items()}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _header(stream: _Readable, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise RuntimeError(f"{name}: expected an idx file of at least 4 bytes, found {len(magic)}")
    if magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise RuntimeError(
            f"{name}: not an idx file: its magic number is 0x{magic.hex()}, expected 0x0000, a type code of "
            f"{', '.join(f'0x{code:02x}' for code in _TYPES)} and a number of dimensions"
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise RuntimeError(f"{name}: expected an idx header of {4 + 4 * magic[3]} bytes, found {4 + len(sizes)}")
    return np.dtype(_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)


def _read(stream: _Readable, name: str, total_bytes: int | None) -> np.ndarray:
    dtype, shape = _header(stream, name)
    header_bytes = 4 + 4 * len(shape)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > MAX_VALUES_BYTES:
        raise RuntimeError(f"{name}: its header asks for {wanted} bytes (shape {shape}), over {MAX_VALUES_BYTES}")
    if total_bytes is not None and total_bytes != header_bytes + wanted:
        raise RuntimeError(
            f"{name}: shape {shape} of {dtype.name} needs {header_bytes + wanted} bytes, "
            f"found {total_bytes}; the file is damaged or incomplete"
        )
    values = stream.read(wanted + 1)  # one more, so that a longer file shows without being read whole
    if len(values) != wanted:
        found = f"only {header_bytes + len(values)}" if len(values) < wanted else "more"
        raise RuntimeError(
            f"{name}: shape {shape} of {dtype.name} needs {header_bytes + wanted} bytes, found {found}; "
            "the file is damaged or incomplete"
        )
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads one idx file (compressed where its name ends in .gz) into an array in native byte order.

    Raises FileNotFoundError, and RuntimeError naming the file with expected and found bytes where it is
    damaged.
    """
    name = os.fspath(path)
    try:
        if name.endswith(".gz"):
            with gzip.open(name, "rb") as stream:
                return _read(stream, name, None)
        with open(name, "rb") as stream:
            return _read(stream, name, os.fstat(stream.fileno()).st_size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RuntimeError(f"{name}: the gzip stream is damaged or incomplete ({error})") from error


def idx_bytes(array: np.ndarray) -> bytes:
    """`array` as the content of an idx file."""
    if array.dtype not in _CODES or array.ndim == 0:
        raise TypeError(
            f"idx files hold {', '.join(d.name for d in _CODES)} of one or more dimensions, "
            f"got {array.dtype} with {array.ndim}"
        )
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, _CODES[array.dtype], array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, array.dtype.newbyteorder(">")).tobytes()
