"""NumPy's .npz archives (np.savez) as {name: tensor}, and single .npy arrays.

No pickles, and no claim of the file is believed before it is checked against the bytes that are there: a member
that says it has 100 GB, a bomb that unpacks to them, two members in one place. bfloat16, which NumPy lacks, is
written as a record of one field, "bfloat16", of uint16 bits: np.load reads it (array["bfloat16"] are the bits)
and so does load_file.
"""

from __future__ import annotations

import math
import mmap as memory_map
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np

from ..tensor import Tensor
from .atomic import atomic_write
from .errors import damaged
from .formats import way_out
from .mapping import map_file
from .npy_header import Header, read_header, supported
from .storages import Storage, restore_location, storage_from_bytes
from .zip_reader import LOCAL_HEADER

_SPARE = 200_000_000  # bytes by which the members may exceed the file when unpacked
_CHUNK = 1 << 24
_ALIGNMENT = 64
_ZIP64_FIELD = 20  # bytes zipfile adds to a local header
_DESCRIPTOR = 0x0008  # of a member's flags: its sizes follow its bytes
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000


@dataclass(frozen=True, slots=True)
class Member:
    """One array of an archive; `start`: where its bytes begin in the file, header first; None if compressed."""

    name: str
    header: Header
    info: zipfile.ZipInfo
    start: int | None


def load_file(
    path: str | os.PathLike[str],
    device: Any = "cpu",
    mmap: bool = False,
    verify: bool = True,
    max_bytes: int | None = None,
) -> dict[str, Tensor]:
    """{name: tensor} of an .npz archive, in its order; each has memory of its own. Fortran order is kept as strides.

    Args:
        device: where they are wanted: "cpu", "cuda:0" ...
        mmap: map members that are stored at a multiple of their element's size (as save_file stores them; np.savez
            does so by chance) instead of reading them; writing to a tensor changes a private copy.
        verify: check the checksums of mapped members, which reads them once. Those of read ones are always checked.
        max_bytes: what the members may have together when unpacked; by default 200 MB more than the file has.

    Raises: UnpicklingError or RuntimeError for a file that is damaged, lies, holds Python objects or is of another
    format, naming the member; NotImplementedError for a dtype there is not; OSError if it cannot be read.

    Source: numpy.load.
    """
    return read(path, restore_location(device), mmap, verify, max_bytes)


def read(
    path: str | os.PathLike[str],
    restore: Callable[[Storage, str], Storage],
    mmap: bool,
    verify: bool = True,
    max_bytes: int | None = None,
) -> dict[str, Tensor]:
    """`load_file` with map_location's function."""
    with open(path, "rb") as file, opened(file, max_bytes) as (archive, members):
        source = map_file(file) if mmap and members else None
        return {member.name: read_member(archive, member, source, restore, verify) for member in members}


def read_member(
    archive: zipfile.ZipFile,
    member: Member,
    source: memory_map.mmap | None,
    restore: Callable[[Storage, str], Storage],
    verify: bool,
) -> Tensor:
    """The tensor of one member of an `opened` archive; `source` is the mapped file, or None to read it."""
    dtype, header = supported(member.header, member.name), member.header
    if header.size + header.nbytes != member.info.file_size:
        damaged(
            f"the array '{member.name}' of shape {header.shape} and type {header.spelled} needs "
            f"{header.nbytes} bytes, and {member.info.file_size - header.size} are there"
        )
    if source is not None and member.start is not None:
        if verify:
            _check_mapped(np.frombuffer(source, np.uint8, member.info.file_size, member.start), member)
        data = np.frombuffer(source, np.uint8, header.nbytes, member.start + header.size)
    else:
        data = unpacked(archive, member)
    storage = storage_from_bytes(data, dtype, math.prod(header.shape), "cpu", header.swap)
    return _tensor(restore(storage, "cpu").array, header)


def load_array(path: str | os.PathLike[str], device: Any = "cpu", mmap: bool = False) -> Tensor:
    """The tensor in an .npy file (np.save). Arguments and errors as `load_file`'s."""
    return read_array(path, restore_location(device), mmap)


def read_array(
    path: str | os.PathLike[str], restore: Callable[[Storage, str], Storage], mmap: bool, verify: bool = True
) -> Tensor:
    """`load_array` with map_location's function; there is no checksum that `verify` could check."""
    with open(path, "rb") as file:
        header = array_header(file)
        dtype = supported(header, os.path.basename(file.name))
        size = os.fstat(file.fileno()).st_size
        if header.size + header.nbytes != size:
            damaged(f"the array needs {header.nbytes} bytes, and {size - header.size} are there")
        if mmap:
            data = np.frombuffer(map_file(file), np.uint8, header.nbytes, header.size)
        else:
            data = np.fromfile(file, np.uint8, header.nbytes)
        if data.size != header.nbytes:
            damaged("the file became shorter while it was read")
        storage = storage_from_bytes(data, dtype, math.prod(header.shape), "cpu", header.swap)
        return _tensor(restore(storage, "cpu").array, header)


def array_header(file: BinaryIO) -> Header:
    """The header of an open .npy file, which is left behind it."""
    other = way_out(file, "npy")
    if other:
        damaged(other)
    return read_header(file.read, os.path.basename(file.name))


def save_file(tensors: dict[str, Tensor], path: str | os.PathLike[str], compressed: bool = False) -> None:
    """Writes {name: tensor} as an .npz archive that np.load reads. It takes its name in one step, when it is whole.

    Each tensor is written whole, also where it shares memory with another or repeats its own (expand). The same
    tensors give the same bytes. Without `compressed` the arrays can be mapped from the file.

    Raises: ValueError for what is no dict of tensors or a name the format cannot keep; OSError if it cannot be
    written: what stood there before is intact.

    Source: numpy.savez, numpy.savez_compressed.
    """
    if not isinstance(tensors, dict):
        raise ValueError(f"npz.save_file: expected a dict of names to tensors, got {type(tensors).__name__}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"npz.save_file: '{name}' is no tensor but a {type(tensor).__name__}")
        if type(name) is not str or "\0" in name or len(name.encode()) > 60_000:
            raise ValueError(f"npz.save_file: {name!r:.100} cannot be a name: a text without NUL, below 60,000 bytes")
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", method) as archive:
        for name, tensor in tensors.items():
            info = zipfile.ZipInfo(name + ".npy")  # dated 1980, as np.savez dates them
            info.compress_type = method
            if not compressed:
                info.extra = _padding(file.tell() + LOCAL_HEADER.size + len(info.filename.encode()) + _ZIP64_FIELD)
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, tensor.detach().cpu()._data, allow_pickle=False)


def _padding(at: int) -> bytes:
    """The extra field that moves what follows it from `at` to a multiple of 64; .npy headers are multiples of 64."""
    count = -(at + 4) % _ALIGNMENT
    return b"FB" + count.to_bytes(2, "little") + b"Z" * count  # the field torch.save pads with


@contextmanager
def opened(file: BinaryIO, max_bytes: int | None = None) -> Iterator[tuple[zipfile.ZipFile, list[Member]]]:
    """(archive, members) of an open .npz file, all claims but the arrays' sizes checked."""
    size = os.fstat(file.fileno()).st_size
    other = way_out(file, "npz")
    if other:
        damaged(other)
    with _translated("it cannot be opened"):
        archive = zipfile.ZipFile(file)
    with archive:
        infos = archive.infolist()
        _check_infos(infos, size, size + _SPARE if max_bytes is None else max_bytes)
        starts = _check_places(file, infos, archive.start_dir)
        yield archive, [_member(archive, info, start) for info, start in zip(infos, starts, strict=True)]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """What zipfile raises in the block for damaged content becomes RuntimeError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, UnicodeError, NotImplementedError) as error:
        _broken(f"{what} ({str(error) or type(error).__name__})")


def _broken(what: str) -> NoReturn:
    raise RuntimeError(
        f"minitorch2: this .npz archive cannot be trusted: {what}. The file is damaged or was not written by "
        "np.savez; copy or download it again"
    )


def _check_infos(infos: list[zipfile.ZipInfo], size: int, limit: int) -> None:
    seen = set()
    for info in infos:
        name = info.filename
        if not name.endswith(".npy") or info.orig_filename != name:
            _broken(f"the member {name!r:.200} is no array; an .npz file holds nothing else")
        if name in seen:
            _broken(f"the member {name!r:.200} occurs twice")
        seen.add(name)
        if info.flag_bits & _ENCRYPTED:
            _broken(f"the member {name!r:.200} is encrypted; unpack it and save it with np.savez")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _broken(f"the member {name!r:.200} is compressed by a method np.savez_compressed does not use")
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            _broken(f"the member {name!r:.200} is stored in {info.compress_size} bytes and claims another size")
    total = sum(info.file_size for info in infos)
    if total > limit:
        raise RuntimeError(
            f"minitorch2: this .npz file has {size} bytes and would unpack to {total}, more than the {limit} allowed; "
            "if it is no bomb and there is the memory, load it with npz.load_file(path, max_bytes=...)"
        )


def _check_places(file: BinaryIO, infos: list[zipfile.ZipInfo], end: int) -> list[int]:
    """Where each member's bytes start. The members follow one another from the file's start to `end`.

    A hole would be a member that the directory lost: zipfile does not count.
    """
    starts, free_from = {}, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset != free_from:
            _broken(f"the member {info.filename!r:.200} overlaps another, or one before it is lost")
        file.seek(info.header_offset)
        header = file.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size:
            _broken(f"the member {info.filename!r:.200} lies outside the file")
        _, _, flags, *_, name_length, extra_length = LOCAL_HEADER.unpack(header)
        start = info.header_offset + LOCAL_HEADER.size + name_length + extra_length
        free_from = start + info.compress_size
        if flags & _DESCRIPTOR:  # sizes and checksum again, 32 or 64 bits wide
            file.seek(free_from)
            signed, rest = file.read(24), 12
            if signed.startswith(b"PK\x07\x08"):
                rest = 16 if signed[16:18] == b"PK" else 24
            free_from += rest
        if free_from > end:
            _broken(f"the member {info.filename!r:.200} claims more bytes than the file has")
        starts[info.header_offset] = start
    if free_from != end:
        _broken("there are bytes between its last member and its directory, or a member is lost")
    return [starts[info.header_offset] for info in infos]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, start: int) -> Member:
    name = info.filename.removesuffix(".npy")
    with _translated(f"the member '{name}' is damaged"), archive.open(info) as file:
        header = read_header(file.read, name)
    return Member(name, header, info, start if info.compress_type == zipfile.ZIP_STORED else None)


def unpacked(archive: zipfile.ZipFile, member: Member) -> np.ndarray:
    """The array's bytes, their checksum checked by zipfile when it comes to the end."""
    with _translated(f"the member '{member.name}' is damaged"), archive.open(member.info) as file:
        file.read(member.header.size)
        data, filled = np.empty(member.info.file_size - member.header.size, np.uint8), 0
        while chunk := file.read(_CHUNK):
            data[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
            filled += len(chunk)
    if filled != data.size:
        _broken(f"the member '{member.name}' ended after {filled} of {data.size} bytes")
    return data


def check_member(archive: zipfile.ZipFile, member: Member) -> None:
    """Reads a member for its checksum alone. Raises RuntimeError that names it."""
    with _translated(f"the member '{member.name}' is damaged"), archive.open(member.info) as file:
        while file.read(_CHUNK):
            pass


def _check_mapped(data: np.ndarray, member: Member) -> None:
    crc = 0
    for at in range(0, data.size, _CHUNK):
        crc = zlib.crc32(data[at : at + _CHUNK].data, crc)
    if crc != member.info.CRC:
        _broken(f"the member '{member.name}' does not match its checksum")


def _tensor(flat: np.ndarray, header: Header) -> Tensor:
    if header.fortran:
        return Tensor._wrap(flat.reshape(header.shape[::-1]).T)
    return Tensor._wrap(flat.reshape(header.shape))
