"""Freed memory stays with the process.

A training step allocates the same arrays as the one before. By default glibc gives freed memory of some megabytes back
to the system, which hands it out again in zeroed pages, one page fault for each 4 KiB: a fifth of the time of a step
of a small transformer, and of an LSTM's. So the C library is told to keep it, as other frameworks' allocators do:
arrays of up to 32 MiB come from the heap, which is not trimmed while less than 1 GiB of it lies free at its end.

The process's whole malloc is set so, by importing this. MINITORCH2_KEEP_MEMORY=0 in the environment leaves it alone, as
does any setting of glibc's own there, and any other C library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
LARGEST = 32 * 2**20  # what glibc accepts
KEPT = 2**30


def keep_freed_memory() -> bool:
    """Sets glibc's thresholds; whether that was done."""
    if os.environ.get("MINITORCH2_KEEP_MEMORY") == "0" or any(name in os.environ for name in _OWN_SETTINGS):
        return False
    with contextlib.suppress(OSError, AttributeError, ValueError):
        if not os.confstr("CS_GNU_LIBC_VERSION"):
            return False
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_MMAP_THRESHOLD, LARGEST) and mallopt(_TRIM_THRESHOLD, KEPT))
    return False


keep_freed_memory()
