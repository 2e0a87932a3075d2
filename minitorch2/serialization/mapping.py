"""Mapping a file into memory: its bytes are read when they are used, and writing changes a private copy only."""

from __future__ import annotations

import mmap
import sys
from typing import BinaryIO

# From Python 3.13 on the mmap module has the name; the number is Linux's on every processor NumPy is built for.
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


def map_file(file: BinaryIO) -> mmap.mmap:
    """The whole file, copy on write; it may be larger than the memory. It must not be empty.

    Linux sets memory aside for every page that could come to be written, and so refuses to map a file that is
    larger than the memory (ACCESS_COPY does nothing else); MAP_NORESERVE leaves that to the pages that are.

    Raises: OSError for what cannot be mapped (a pipe); ValueError for an empty file.
    """
    if not _NORESERVE:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    flags = mmap.MAP_PRIVATE | _NORESERVE
    return mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def addresses(nbytes: int) -> mmap.mmap:
    """So many zeros that nobody writes to: they cost addresses and no memory, and may be more than there is."""
    if not _NORESERVE:
        return mmap.mmap(-1, nbytes)
    return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
