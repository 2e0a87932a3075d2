"""How much of a GPU's memory is in use. Source: torch's page "torch.cuda", section Memory management.

Where no GPU has been used, all numbers are 0.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import devices


def _of_kernels() -> Any:
    return importlib.import_module("minitorch2_kernels.cuda.memory")


def _bytes(what: str, device: Any) -> int:
    if not devices.is_initialized():
        return 0
    with devices.device(devices.index_of(device)):
        return getattr(_of_kernels(), what)()


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors use, those of captured graphs included."""
    return _bytes("allocated", device)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors used at once since the start or since reset_peak_memory_stats."""
    return _bytes("peak", device)


def memory_reserved(device: Any = None) -> int:
    """Bytes taken from the driver: those that tensors use and those kept for the next ones."""
    return _bytes("reserved", device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Lets max_memory_allocated start anew. RuntimeError where there is no GPU."""
    with devices.device(devices.index_of(device)):
        _of_kernels().reset_peak()


def empty_cache() -> None:
    """Gives memory that no tensor uses back to the driver, for other programs; what graphs hold stays theirs."""
    if devices.is_initialized():
        _of_kernels().free_cached()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU, whoever uses them. RuntimeError where there is no GPU."""
    with devices.device(devices.index_of(device)):
        return tuple(devices.runtime().memGetInfo())
