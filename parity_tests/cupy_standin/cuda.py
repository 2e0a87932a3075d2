"""The stand-in's cupy.cuda: one device on which all is done at once, so that no stream has to be waited for.

A stream can be put into capture; recording.py says what becomes of it. What CuPy refuses during a capture is refused:
copies between host and device, waiting, CuPy's own cuBLAS and random numbers. Memory is counted, not given:
`MemoryPool.malloc` knows sizes, and `Memory.limit` makes it run out.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from types import ModuleType, SimpleNamespace
from typing import ClassVar

from . import recording
from .recording import Recording

CAPTURING = "the current stream is capturing, so synchronous API calls are disallowed"
TOTAL = 80 << 30


ERRORS = {
    2: "cudaErrorMemoryAllocation: out of memory",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    901: "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture",
}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        self.status = status
        super().__init__(ERRORS[status])


class OutOfMemoryError(MemoryError):
    def __init__(self, size, total, limit=0):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Device:
    """As cupy.cuda.Device: a context manager."""

    compute_capability = "90"
    mem_info = (TOTAL // 2, TOTAL)

    def __init__(self, device=None):
        self.id = 0 if device is None else int(device)
        if self.id:
            raise CUDARuntimeError(101)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def use(self):
        return self

    def synchronize(self):
        forbid()


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.disable_timing, self.time, self.ptr = disable_timing, None, id(self)

    @property
    def done(self):
        return True

    def record(self, stream=None):
        self.time = time.perf_counter()

    def synchronize(self):
        forbid()


def get_elapsed_time(start_event, end_event):
    if start_event.disable_timing or end_event.disable_timing or start_event.time is None or end_event.time is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return (end_event.time - start_event.time) * 1000


class Stream:
    _pointers = itertools.count(0x7000, 16)
    current: ClassVar[list] = []  # the stack of streams in use; empty: the default stream
    null: Stream

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr = 0 if null else next(self._pointers)
        self.device_id = -1 if null else 0
        self.is_non_blocking, self.priority = non_blocking, priority or 0
        self.capturing = self.invalidated = False

    def __eq__(self, other):
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    def __enter__(self):
        self.current.append(self)
        return self

    def __exit__(self, *exc):
        self.current.pop()

    def use(self):
        self.current[-1:] = [self]
        return self

    @property
    def done(self):
        return True

    def synchronize(self):
        if self.capturing:
            self.invalidated = True
            raise CUDARuntimeError(900)

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event):
        assert isinstance(event, Event)

    def begin_capture(self, mode=None):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert mode in (None, 0, 1, 2) and not self.capturing
        self.capturing, self.invalidated = True, False
        self.recording = Recording()
        self.recording.start()

    def end_capture(self):
        if not self.capturing:
            raise CUDARuntimeError(901)
        self.capturing = False
        self.recording.stop()
        if self.invalidated:
            raise CUDARuntimeError(901)
        return Graph._made(self.recording)

    def is_capturing(self):
        if self.capturing and self.invalidated:
            raise RuntimeError("the stream was capturing, but an error has invalidated the capture sequence")
        return self.capturing


Stream.null = Stream(null=True)


def get_current_stream(device_id=-1):
    return Stream.current[-1] if Stream.current else Stream.null


def forbid(message: str = CAPTURING, kind: type = RuntimeError) -> None:
    """Raises what CuPy raises for a call that a capture cannot hold."""
    if get_current_stream().capturing:
        raise kind(message)


class Graph:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("currently this class cannot be initiated by the user")

    @classmethod
    def _made(cls, recording):
        made = cls.__new__(cls)
        made.launches, made.recording = [], recording
        return made

    def launch(self, stream=None):
        self.launches.append(stream or get_current_stream())
        self.recording.replay()

    def upload(self, stream=None):
        pass

    def debug_dot_str(self, flags=0):
        return "digraph {}"


class Memory:
    """As cupy.cuda.Memory: what cudaMalloc gives."""

    in_use = 0
    limit = TOTAL

    def __init__(self, size):
        self.size = 0
        if Memory.in_use + size > Memory.limit:
            raise CUDARuntimeError(2)
        Memory.in_use += size
        self.size, self.device_id, self.ptr = size, 0, id(self)

    def __del__(self):
        Memory.in_use -= self.size


class MemoryPointer:
    def __init__(self, mem, offset):
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, 0


class _Pooled:
    def __init__(self, chunk, pool):
        self.chunk, self.pool, self.ptr, self.size = chunk, pool, chunk.ptr, chunk.size
        pool.used += chunk.size

    def __del__(self):
        self.pool.used -= self.chunk.size
        self.pool.free.append(self.chunk)


class MemoryPool:
    """Blocks of whole sizes; free ones are kept, and given back before running out."""

    def __init__(self, allocator=None):
        self.allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
        self.used, self.total, self.free, self.limit = 0, 0, [], 0

    def malloc(self, size):
        size = -(-size // 512) * 512
        found = next((chunk for chunk in self.free if chunk.size == size), None)
        if found is not None:
            self.free.remove(found)
        else:
            if self.limit and self.total + size > self.limit:
                self.free_all_blocks()
                if self.total + size > self.limit:
                    raise OutOfMemoryError(size, self.total, self.limit)
            try:
                found = self.allocator(size).mem
            except CUDARuntimeError:
                self.free_all_blocks()
                try:
                    found = self.allocator(size).mem
                except CUDARuntimeError:
                    raise OutOfMemoryError(size, self.total) from None
            self.total += size
        return MemoryPointer(_Pooled(found, self), 0)

    def free_all_blocks(self, stream=None):
        self.total -= sum(chunk.size for chunk in self.free)
        self.free.clear()

    def used_bytes(self):
        return self.used

    def total_bytes(self):
        return self.total

    def free_bytes(self):
        return self.total - self.used

    def n_free_blocks(self):
        return len(self.free)

    def set_limit(self, size=None, fraction=None):
        assert fraction is None
        self.limit = size

    def get_limit(self):
        return self.limit


_default_pool = MemoryPool()
_allocators = [_default_pool.malloc]


def get_allocator():
    return _allocators[-1]


def set_allocator(allocator=None):
    if len(_allocators) > 1:
        raise ValueError("Can't change the global allocator inside `using_allocator` context manager")
    _allocators[0] = allocator


@contextlib.contextmanager
def using_allocator(allocator=None):
    _allocators.append(allocator)
    try:
        yield
    finally:
        _allocators.pop()


def _properties(index):
    Device(index)
    return {
        "name": b"stand-in (no GPU)", "major": 9, "minor": 0, "totalGlobalMem": TOTAL, "multiProcessorCount": 132,
        "warpSize": 32, "maxThreadsPerMultiProcessor": 2048, "maxThreadsPerBlock": 1024, "l2CacheSize": 50 << 20,
        "sharedMemPerBlock": 49152, "sharedMemPerMultiprocessor": 233472, "sharedMemPerBlockOptin": 232448,
        "regsPerMultiprocessor": 65536, "integrated": 0, "isMultiGpuBoard": 0, "pciBusID": 1, "pciDeviceID": 0,
        "pciDomainID": 0,
    }  # fmt: skip


def furnish(cupy) -> None:
    """Adds `cuda` to the stand-in's module, and has what it does recorded."""
    recording.furnish(cupy)
    cuda = cupy.cuda = ModuleType("cupy.cuda")
    cuda.__path__ = []
    for each in (Device, Event, Stream, Graph, Memory, MemoryPointer, MemoryPool, get_elapsed_time):
        setattr(cuda, each.__name__, each)
    for each in (get_current_stream, get_allocator, set_allocator, using_allocator):
        setattr(cuda, each.__name__, each)
    cuda.alloc = lambda size: get_allocator()(size)
    cuda.memory = SimpleNamespace(
        OutOfMemoryError=OutOfMemoryError, Memory=Memory, MemoryPointer=MemoryPointer, MemoryPool=MemoryPool
    )
    cuda.is_available = lambda: True
    cupy.get_default_memory_pool = lambda: _default_pool
    runtime = cuda.runtime = ModuleType("cupy.cuda.runtime")
    runtime.CUDARuntimeError = CUDARuntimeError
    runtime.getDeviceCount = lambda: 1
    runtime.getDevice = lambda: 0
    runtime.setDevice = lambda index: Device(index) and None
    runtime.getDeviceProperties = _properties
    runtime.deviceSynchronize = lambda: forbid()
    runtime.memGetInfo = lambda: (TOTAL - Memory.in_use, TOTAL)
    runtime.streamCaptureModeGlobal, runtime.streamCaptureModeThreadLocal, runtime.streamCaptureModeRelaxed = 0, 1, 2
    runtime.driverGetVersion = runtime.runtimeGetVersion = lambda: 13000
