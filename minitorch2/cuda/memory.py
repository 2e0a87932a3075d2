"""How much of a GPU's memory is in use. Source: torch's page "torch.cuda", section Memory management.

Where no GPU has been used, all numbers are 0.
"""

from __future__ import annotations

import importlib
import warnings
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


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes taken from the driver at once since the start or since reset_peak_memory_stats."""
    return _bytes("reserved_peak", device)


def memory_cached(device: Any = None) -> int:
    """memory_reserved under its old name, with torch's FutureWarning."""
    warnings.warn("`torch.cuda.memory_cached` has been renamed to `torch.cuda.memory_reserved`", FutureWarning, 2)
    return memory_reserved(device)


def max_memory_cached(device: Any = None) -> int:
    """max_memory_reserved under its old name, with torch's FutureWarning."""
    warnings.warn(
        "`torch.cuda.max_memory_cached` has been renamed to `torch.cuda.max_memory_reserved`", FutureWarning, 2
    )
    return max_memory_reserved(device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Lets max_memory_allocated and max_memory_reserved start anew. RuntimeError where there is no GPU."""
    with devices.device(devices.index_of(device)):
        _of_kernels().reset_peak()


def reset_max_memory_allocated(device: Any = None) -> None:
    """reset_peak_memory_stats, with torch's FutureWarning that this is what it is."""
    _warn_of_reset("reset_max_memory_allocated")
    reset_peak_memory_stats(device)


def reset_max_memory_cached(device: Any = None) -> None:
    """reset_peak_memory_stats, with torch's FutureWarning that this is what it is."""
    _warn_of_reset("reset_max_memory_cached")
    reset_peak_memory_stats(device)


def _warn_of_reset(name: str) -> None:
    warnings.warn(
        f"torch.cuda.{name} now calls torch.cuda.reset_peak_memory_stats, which resets /all/ peak memory stats.",
        FutureWarning,
        stacklevel=3,
    )


def reset_accumulated_memory_stats(device: Any = None) -> None:
    """Lets what memory_stats counts up, num_ooms, start anew. RuntimeError where there is no GPU."""
    with devices.device(devices.index_of(device)):
        _of_kernels().reset_out_of_memory_count()


def memory_stats(device: Any = None) -> dict[str, int]:
    """What is known of torch's statistics, under torch's keys: allocated_bytes.all and reserved_bytes.all, each current
    and peak, and num_ooms. CuPy's pool does not count what torch's others say; those keys are not there. {} before a
    GPU has been used."""
    if not devices.is_initialized():
        return {}
    return {
        "allocated_bytes.all.current": memory_allocated(device),
        "allocated_bytes.all.peak": max_memory_allocated(device),
        "num_ooms": _bytes("out_of_memory_count", device),
        "reserved_bytes.all.current": memory_reserved(device),
        "reserved_bytes.all.peak": max_memory_reserved(device),
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """memory_stats as a table to print; `abbreviated` changes nothing, there are no pools by size to leave out."""
    index = devices.index_of(device) if devices.is_initialized() else 0
    rows = [
        ("Allocated memory", memory_allocated(device), max_memory_allocated(device)),
        ("GPU reserved memory", memory_reserved(device), max_memory_reserved(device)),
    ]
    bar, thin = "=" * 51, "-" * 51
    lines = [bar, f" CUDA memory summary, device ID {index}".ljust(51), thin]
    lines.append(f"  CUDA OOMs: {_bytes('out_of_memory_count', device)}".ljust(51))
    lines += [bar, "        Metric         |  Cur Usage  |  Peak Usage "]
    for name, now, peak in rows:
        lines += [thin, f" {name:<21} | {_readable(now)} | {_readable(peak)} "]
    return "|" + "|\n|".join([*lines, bar]) + "|\n"


def _readable(size: int) -> str:
    unit = 0
    while size >= 768 * 1024 and unit < 5:
        size, unit = size // 1024, unit + 1
    return f"{size:7d} {('B  ', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Lets tensors take no more than this part of a GPU's memory; OutOfMemoryError for more. Captured graphs, whose
    memory nothing may be taken from, are not counted. RuntimeError where there is no GPU."""
    index = devices.index_of(device)
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    with devices.device(index):
        total = devices.get_device_properties(index).total_memory
        _of_kernels().set_limit(max(int(total * fraction), 1))  # a limit of 0 would be none


def get_per_process_memory_fraction(device: Any = None) -> float:
    """What set_per_process_memory_fraction was last given; 1.0 before. RuntimeError where there is no GPU."""
    index = devices.index_of(device)
    with devices.device(index):
        limit = _of_kernels().limit()
    return limit / devices.get_device_properties(index).total_memory if limit else 1.0


def empty_cache() -> None:
    """Gives memory that no tensor uses back to the driver, for other programs; what graphs hold stays theirs."""
    if devices.is_initialized():
        _of_kernels().free_cached()


def ipc_collect() -> None:
    """Nothing: no memory is shared with other processes. RuntimeError where there is no GPU."""
    devices.init()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU, whoever uses them. RuntimeError where there is no GPU."""
    with devices.device(devices.index_of(device)):
        return tuple(devices.runtime().memGetInfo())
