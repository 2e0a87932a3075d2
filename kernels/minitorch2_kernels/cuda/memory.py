"""Device memory: CuPy's pool, with torch's error where there is none left, and the most that was in use and taken.

Captured graphs have pools of their own (`PrivatePool`). A graph's kernels go on using the addresses they were captured
with, and of these CuPy knows nothing: memory that was free at the end of the capture would be handed to somebody else.
"""

from __future__ import annotations

import weakref
from typing import Any

import cupy

from ..out_of_memory import OutOfMemoryError, describe

MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation

_default = cupy.get_default_memory_pool()
_allocate = _default.malloc
_used_bytes = _default.used_bytes
_out_of_blocks = cupy.cuda.memory.OutOfMemoryError
_private: list = []  # weak references to the private pools there are
_peaks: dict[int, int] = {}  # device -> the most bytes that were in use at once
_most_reserved: dict[int, int] = {}  # device -> the most bytes that had been taken when some were given back
_failures: dict[int, int] = {}  # device -> how many OutOfMemoryErrors it has given


def install() -> None:
    """Makes `malloc` what CuPy allocates with, unless the program has chosen an allocator itself."""
    if cupy.cuda.get_allocator() == _allocate:
        cupy.cuda.set_allocator(malloc)


def malloc(size: int) -> Any:
    """As cupy's pool, which before it gives up frees what it keeps; then OutOfMemoryError."""
    try:
        memory = _allocate(size)
    except _out_of_blocks:
        raise _out_of_memory(size) from None
    used = _used_bytes()
    if _private:
        used += _in_private_pools("used_bytes")
    device = memory.device_id
    if used > _peaks.get(device, 0):
        _peaks[device] = used
    return memory


def allocated() -> int:
    """Bytes of the current device that arrays use."""
    return _used_bytes() + _in_private_pools("used_bytes")


def reserved() -> int:
    """Bytes of the current device taken from the driver: those that arrays use and those kept for the next ones."""
    return _default.total_bytes() + _in_private_pools("total_bytes")


def peak() -> int:
    """The most bytes of the current device that arrays used at once."""
    return max(_peaks.get(cupy.cuda.runtime.getDevice(), 0), allocated())


def reserved_peak() -> int:
    """The most bytes of the current device that were taken from the driver at once. What CuPy's pool gives back by
    itself, when it runs out, is not seen."""
    return max(_most_reserved.get(cupy.cuda.runtime.getDevice(), 0), reserved(), peak())


def reset_peak() -> None:
    device = cupy.cuda.runtime.getDevice()
    _peaks[device], _most_reserved[device] = allocated(), 0


def out_of_memory_count() -> int:
    """How often the current device had too little memory."""
    return _failures.get(cupy.cuda.runtime.getDevice(), 0)


def reset_out_of_memory_count() -> None:
    _failures.pop(cupy.cuda.runtime.getDevice(), None)


def set_limit(size: int) -> None:
    """The most bytes of the current device that arrays may take, captured graphs apart; 0: all there are."""
    _default.set_limit(size=size)


def limit() -> int:
    """What set_limit was given, or the environment (CUPY_GPU_MEMORY_LIMIT); 0 where nothing was."""
    return _default.get_limit()


def free_cached() -> None:
    """Gives blocks that no array uses back to the driver; those of graphs stay."""
    device = cupy.cuda.runtime.getDevice()
    _most_reserved[device] = max(_most_reserved.get(device, 0), reserved())
    _default.free_all_blocks()


def _in_private_pools(what: str) -> int:
    pools = [pool for pool in (reference() for reference in _private) if pool is not None]
    return sum(getattr(pool.pool, what)() for pool in pools)


def _out_of_memory(size: int) -> OutOfMemoryError:
    free, total = cupy.cuda.runtime.memGetInfo()
    device = cupy.cuda.runtime.getDevice()
    _failures[device] = _failures.get(device, 0) + 1
    return OutOfMemoryError(describe(size, device, free, total, allocated(), reserved()))


def _from_driver(size: int) -> Any:
    """A new block; OutOfMemoryError at once where there is none.

    CuPy's pool would answer the driver's own error by freeing blocks: those that the graph under capture has used.
    """
    try:
        return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if error.status != MEMORY_ALLOCATION:
            raise
    raise _out_of_memory(size)


class PrivatePool:
    """Memory of captured graphs. It gives nothing back to the driver as long as it is there."""

    def __init__(self) -> None:
        self.pool = cupy.cuda.MemoryPool(_from_driver)
        self.pool.set_limit(size=0)  # a limit, which the environment can set, is kept by freeing blocks
        _private.append(weakref.ref(self, _private.remove))

    def malloc(self, size: int) -> Any:
        memory = self.pool.malloc(size)
        used = allocated()
        if used > _peaks.get(memory.device_id, 0):
            _peaks[memory.device_id] = used
        return memory
