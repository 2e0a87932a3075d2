"""Writing the archive layout torch.save has: stored records, each starting at a multiple of 64 bytes.

Aligned records can be mapped from the file and used as arrays where they lie. A record's checksum follows
its data, so nothing needs to be held in memory or sought back to. Format: PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

from .zip_reader import CENTRAL_HEADER, END, END64, END64_LOCATOR, LOCAL_HEADER

ALIGNMENT = 64
_FLAGS = 0x0808  # UTF-8 names; checksum and sizes follow the data
_LIMIT = 2**32 - 1  # from here on a value stands in the zip64 field
_CHUNK = 1 << 24


class ZipWriter:
    """Writes records into `file` (anything with write(bytes)) under `folder`; call `finish` last."""

    def __init__(self, file: Any, folder: str):
        self.file = file
        self.folder = folder
        self.offset = 0
        self.entries: list[tuple[bytes, int, int, int]] = []  # name, header's offset, size, checksum

    def write_record(self, name: str, data: bytes | memoryview) -> None:
        """Appends a record; `data` is a contiguous buffer of bytes."""
        raw, header, data = f"{self.folder}/{name}".encode(), self.offset, memoryview(data)
        size = data.nbytes
        extra = _wide_field(size, header)
        # The extra field ends in padding up to the next multiple of 64, where the data starts.
        padding = -(header + LOCAL_HEADER.size + len(raw) + len(extra) + 4) % ALIGNMENT
        extra += b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
        self._write(LOCAL_HEADER.pack(b"PK\x03\x04", 0, _FLAGS, 0, 0, 0, 0, 0, 0, len(raw), len(extra)))
        self._write(raw)
        self._write(extra)
        crc = 0
        for at in range(0, size, _CHUNK):
            chunk = data[at : at + _CHUNK]
            crc = zlib.crc32(chunk, crc)
            self._write(chunk)
        if size:
            width = 8 if size >= _LIMIT or header >= _LIMIT else 4
            sizes = size.to_bytes(width, "little") * 2
            self._write(b"PK\x07\x08" + crc.to_bytes(4, "little") + sizes)
        self.entries.append((raw, header, size, crc))

    def content_id(self) -> str:
        """40 digits that depend on the records written so far, and on nothing else."""
        digest = hashlib.sha256()
        for raw, _, size, crc in self.entries:
            digest.update(raw.partition(b"/")[2] + b"\0%d %d\n" % (size, crc))
        return str(int.from_bytes(digest.digest(), "little") % 10**40).zfill(40)

    def finish(self) -> None:
        """Writes the directory and the end records."""
        start = self.offset
        for raw, header, size, crc in self.entries:
            extra = _wide_field(size, header)
            short, short_header = min(size, _LIMIT), min(header, _LIMIT)
            names = len(raw), len(extra), 0
            self._write(
                CENTRAL_HEADER.pack(
                    b"PK\x01\x02", 0, 0, _FLAGS, 0, 0, 0, crc, short, short, *names, 0, 0, 0, short_header
                )
            )
            self._write(raw)
            self._write(extra)
        end, count = self.offset, len(self.entries)
        size = end - start
        self._write(END64.pack(b"PK\x06\x06", END64.size - 12, 0x031E, 45, 0, 0, count, count, size, start))
        self._write(END64_LOCATOR.pack(b"PK\x06\x07", 0, end, 1))
        few, short_size, short_start = min(count, 0xFFFF), min(size, _LIMIT), min(start, _LIMIT)
        self._write(END.pack(b"PK\x05\x06", 0, 0, few, few, short_size, short_start, 0))

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self.offset += len(view)
        while len(view):
            written = self.file.write(view)
            if written is None:  # file-likes that do not count have written everything
                return
            if not 0 < written <= len(view):
                raise OSError(f"the file object took {written} of {len(view)} bytes; the checkpoint is incomplete")
            view = view[written:]


def _wide_field(size: int, header: int) -> bytes:
    """The zip64 extra field: the 64-bit values of just those fields that do not fit 32 bits."""
    values = [size, size] if size >= _LIMIT else []
    values += [header] if header >= _LIMIT else []
    body = b"".join(value.to_bytes(8, "little") for value in values)
    return b"\x01\x00" + len(body).to_bytes(2, "little") + body if body else b""
