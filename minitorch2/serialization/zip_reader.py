"""A strict reader of the zip archives torch.save writes: stored records, nothing else.

Everything the directory claims is checked against the file's real size and against the records' own
headers before a byte of memory is asked for: no compressed records (no bombs), no duplicates, no
overlaps, no paths that point elsewhere. Format: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from .errors import broken_archive
from .mapping import map_file

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64_LOCATOR = struct.Struct("<4sIQI")
END64 = struct.Struct("<4sQ2H2I4Q")

_CHUNK = 1 << 24  # bytes checked or copied at a time
_MAX_RECORDS = 1_000_000
_WIDE = 2**32 - 1  # in a 32-bit field: the value stands in the zip64 field
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000


_Entry = tuple[bytes, str, int, int, int]  # raw name, name inside the folder, header's offset, size, checksum


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    header: int  # where its local header starts, in bytes from the archive's start
    start: int  # where its data starts
    size: int  # bytes of data
    crc: int


class ZipReader:
    """The records of one archive, from the file's current position to its end.

    `records` maps names without the archive's folder ("data.pkl", "data/0") to their places.

    Raises: RuntimeError for an archive that is truncated, damaged or not of the kind torch.save writes.
    """

    def __init__(self, file: BinaryIO, verify: bool = True):
        self.file = file
        self.verify = verify
        self.base = file.tell()
        self.size = file.seek(0, 2) - self.base
        directory, size, count = self._find_directory()
        self.folder, entries = self._read_directory(directory, size, count)
        self.records = self._locate(entries, directory)
        self._map: mmap.mmap | None = None

    def read(self, name: str) -> bytes:
        """The bytes of a small record, its checksum checked."""
        return self.read_array(name).tobytes()

    def read_array(self, name: str) -> np.ndarray:
        """A record as a fresh uint8 array of shape (size,)."""
        record = self.records[name]
        array = np.empty(record.size, np.uint8)
        self.file.seek(self.base + record.start)
        view, filled, crc = array.data, 0, 0
        while filled < record.size:
            chunk = view[filled : filled + _CHUNK]
            count = _read_into(self.file, chunk)
            if not count:
                broken_archive(f"the file ended inside the record '{name}'")
            if self.verify:
                crc = zlib.crc32(chunk[:count], crc)
            filled += count
        self._compare(record, crc)
        return array

    def map_array(self, name: str) -> np.ndarray:
        """A record as a uint8 array over a copy-on-write mapping of the file: writes never reach the file."""
        record = self.records[name]
        if record.size == 0:
            return np.empty(0, np.uint8)
        if self._map is None:
            self._map = map_file(self.file)
        array = np.frombuffer(self._map, np.uint8, record.size, self.base + record.start)
        crc = 0
        if self.verify:
            for at in range(0, record.size, _CHUNK):
                crc = zlib.crc32(array[at : at + _CHUNK].data, crc)
        self._compare(record, crc)
        return array

    def _compare(self, record: Record, crc: int) -> None:
        if self.verify and crc != record.crc:
            broken_archive(f"the record '{record.name}' does not match its checksum")

    def _find_directory(self) -> tuple[int, int, int]:
        """The directory's offset, size in bytes and number of entries, from the end-of-archive records."""
        tail_size = min(self.size, END.size + END64_LOCATOR.size + 0xFFFF)
        tail = self._read_at(self.size - tail_size, tail_size)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + END.size > len(tail):
            broken_archive("its end is missing (the file was cut short, or something was appended)")
        _, disk, first_disk, here, count, size, offset, comment = END.unpack_from(tail, at)
        end = self.size - tail_size + at
        if disk or first_disk:
            broken_archive("it is split over several files")
        if at + END.size + comment != len(tail):
            broken_archive("there are bytes after its end")
        locator = tail[at - END64_LOCATOR.size : at] if at >= END64_LOCATOR.size else b""
        if locator.startswith(b"PK\x06\x07"):
            _, _, end64, _ = END64_LOCATOR.unpack(locator)
            end -= END64_LOCATOR.size
            if end64 + END64.size > end:
                broken_archive("its 64-bit end record lies outside the file")
            magic, length, _, _, disk, first_disk, here, count64, size64, offset64 = END64.unpack(
                self._read_at(end64, END64.size)
            )
            if magic != b"PK\x06\x06" or end64 + length + 12 != end:
                broken_archive("its 64-bit end record is damaged")
            if count not in (count64, 0xFFFF) or size not in (size64, _WIDE) or offset not in (offset64, _WIDE):
                broken_archive("its two end records contradict each other")
            count, size, offset, end = count64, size64, offset64, end64
        if disk or first_disk or here != count:
            broken_archive("it is split over several files")
        if count > _MAX_RECORDS or offset + size != end:
            broken_archive("its directory is not where the end record says")
        return offset, size, count

    def _read_directory(self, offset: int, length: int, count: int) -> tuple[str, list[_Entry]]:
        """The archive's folder and what the directory says of each record."""
        entries, folder, seen = [], None, set()
        data = self._read_at(offset, length)
        at = 0
        for _ in range(count):
            if at + CENTRAL_HEADER.size > len(data):
                broken_archive("its directory is cut short")
            (
                magic,
                _,
                _,
                flags,
                method,
                _,
                _,
                crc,
                packed,
                size,
                name_len,
                extra_len,
                comment_len,
                disk,
                _,
                _,
                header,
            ) = CENTRAL_HEADER.unpack_from(data, at)
            at += CENTRAL_HEADER.size
            raw, extra = data[at : at + name_len], data[at + name_len : at + name_len + extra_len]
            at += name_len + extra_len + comment_len
            if magic != b"PK\x01\x02" or at > len(data):
                broken_archive("its directory is damaged")
            size, packed, header = _wide_values(extra, size, packed, header)
            name = _checked_name(raw)
            if flags & _ENCRYPTED or disk:
                broken_archive(f"the record '{name}' is encrypted or split; torch.save writes neither")
            if method != 0 or packed != size:
                broken_archive(
                    f"the record '{name}' is compressed, and unpacking could fill the memory; torch.save "
                    "stores records as they are (unpack the archive and zip it again with `zip -0`)"
                )
            root, _, inner = name.partition("/")
            folder = root if folder is None else folder
            if root != folder or name in seen:
                broken_archive(f"the record '{name}' occurs twice or lies outside the folder '{folder}/'")
            seen.add(name)
            if not name.endswith("/"):
                entries.append((raw, inner, header, size, crc))
            elif size:
                broken_archive(f"the folder entry '{name}' has content")
        if at != length:
            broken_archive("its directory has the wrong length")
        return folder or "", entries

    def _locate(self, entries: list[_Entry], directory: int) -> dict[str, Record]:
        """Reads each record's own header; the spans from header to end of data may not touch each other."""
        records = {}
        free_from = 0
        for raw, name, header, size, crc in sorted(entries, key=lambda entry: entry[2]):
            start = header + LOCAL_HEADER.size + len(raw)
            if header < free_from or start > directory:
                broken_archive(f"the record '{name}' overlaps another or lies outside the file")
            local = self._read_at(header, LOCAL_HEADER.size + len(raw))
            magic, _, flags, method, _, _, _, _, _, name_len, extra_len = LOCAL_HEADER.unpack_from(local)
            start += extra_len
            if magic != b"PK\x03\x04" or name_len != len(raw) or local[LOCAL_HEADER.size :] != raw:
                broken_archive(f"the record '{name}' has no header of its own where the directory points")
            if method != 0 or flags & _ENCRYPTED:
                broken_archive(f"the header of the record '{name}' contradicts the directory")
            free_from = start + size
            if free_from > directory:
                broken_archive(f"the record '{name}' claims more bytes than the file has")
            records[name] = Record(name, header, start, size, crc)
        return records

    def _read_at(self, offset: int, count: int) -> bytes:
        if offset < 0 or count < 0 or offset + count > self.size:
            broken_archive("it points outside the file")
        self.file.seek(self.base + offset)
        data = self.file.read(count)
        if len(data) != count:
            broken_archive("it ended early")
        return data


def _checked_name(raw: bytes) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        broken_archive("a record's name is not UTF-8")
    parts = name.removesuffix("/").split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
        broken_archive(f"the record name {name!r} is not a plain relative path")
    return name


def _wide_values(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Replaces 32-bit fields that say "see the zip64 field" (all ones) by the 64-bit values of that field."""
    values = [size, packed, header]
    if _WIDE not in values:
        return size, packed, header
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 1:
            for i, value in enumerate(values):
                if value == _WIDE:
                    if len(body) < 8:
                        broken_archive("a 64-bit size is missing from its directory")
                    values[i], body = int.from_bytes(body[:8], "little"), body[8:]
            return values[0], values[1], values[2]
    broken_archive("a 64-bit size is missing from its directory")


def _read_into(file: BinaryIO, view: memoryview) -> int:
    readinto = getattr(file, "readinto", None)
    if readinto is not None:
        return readinto(view) or 0
    data = file.read(len(view))
    view[: len(data)] = data
    return len(data)
