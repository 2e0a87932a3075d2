"""The error of a GPU that has no memory left; here, where no CuPy is needed to name it."""

from __future__ import annotations


class OutOfMemoryError(RuntimeError):
    """A GPU's memory did not suffice."""


def describe(size: int, device: int, free: int, total: int, allocated: int, reserved: int) -> str:
    """torch's sentences; all but the device's number are bytes."""
    return (
        f"CUDA out of memory. Tried to allocate {readable(size)}. GPU {device} has a total capacity of "
        f"{readable(total)} of which {readable(free)} is free. Of the allocated memory {readable(allocated)} is "
        f"allocated by minitorch2, and {readable(max(reserved - allocated, 0))} is reserved by minitorch2 but "
        "unallocated."
    )


def readable(size: int) -> str:
    """Bytes as torch writes them: 512 bytes, 1.50 KiB, 20.00 MiB, 79.10 GiB."""
    if size < 1024:
        return f"{size} bytes"
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.2f} {unit}"
    raise AssertionError(size)
