"""cupy.RawModule on the CPU: the same calls, with what a GPU would accept in silence refused."""

from __future__ import annotations

import contextlib
import ctypes
import os

import numpy as np

from . import build

_order = int(os.environ.get("MINITORCH2_EMULATION_ORDER", "2"))
ORDERS = range(4)  # see cuda_emu.h

MOST_THREADS, MOST_BLOCKS = 1024, (2**31 - 1, 65535, 65535)
SHARED = 48 * 1024  # bytes of shared memory that a launch gets without asking for more
MOST_SHARED = 227 * 1024


@contextlib.contextmanager
def order(number: int):
    """In this block, kernels run their threads in this one of ORDERS."""
    global _order
    previous, _order = _order, number
    try:
        yield
    finally:
        _order = previous


class RawModule:
    """As cupy.RawModule(code=..., options=...); of the options only the macros count."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), backend: str = "nvrtc"):
        if not isinstance(options, tuple):
            raise TypeError("options must be a tuple")
        self.code, self.options, self.backend = code, options, backend
        self._library = None

    def get_function(self, name: str) -> RawKernel:
        if self._library is None:
            self._library = ctypes.CDLL(str(build.library(self.code, self.options)))
        return RawKernel(self._library, name)


class RawKernel:
    """kernel(grid, block, args, shared_mem=0), as CuPy's.

    TypeError where an argument is not what the kernel declares: another number of them, an array of another dtype or
    not in C order, a number of another kind or size (a Python number is int64 or double).
    """

    def __init__(self, library, name: str):
        self.name = self.__name__ = name
        try:
            self._run, described = library[f"{name}__run"], library[f"{name}__signature"]
        except AttributeError:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}") from None
        self._run.restype = described.restype = ctypes.c_char_p
        self._parameters = [
            (p.startswith("*"), p.lstrip("*")[0], int(p.lstrip("*")[1:])) for p in described().decode().split()
        ]
        self.max_dynamic_shared_size_bytes = SHARED
        self.preferred_shared_memory_carveout = -1

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0, stream=None) -> None:
        grid, block = ((*size, 1, 1)[:3] for size in (grid, block))
        grid, block = (tuple(max(1, int(n)) for n in size) for size in (grid, block))
        self._check_sizes(grid, block, shared_mem)
        if len(args) != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, not {len(args)}")
        kept = [self._passed(i, a, *p) for i, (a, p) in enumerate(zip(args, self._parameters, strict=True))]
        pointers = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(value) for value in kept))
        failure = self._run((ctypes.c_uint * 6)(*grid, *block), pointers, ctypes.c_size_t(shared_mem), _order)
        if failure:
            raise RuntimeError(f"{self.name}: {failure.decode()}")

    def _check_sizes(self, grid, block, shared_mem):
        if block[0] * block[1] * block[2] > MOST_THREADS or block[2] > 64:
            raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: {self.name} launched with blocks of {block} threads")
        if any(n > most for n, most in zip(grid, MOST_BLOCKS, strict=True)):
            raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: {self.name} launched on a grid of {grid} blocks")
        if shared_mem > min(self.max_dynamic_shared_size_bytes, MOST_SHARED):
            raise RuntimeError(
                f"CUDA_ERROR_INVALID_VALUE: {self.name} launched with {shared_mem} bytes of shared memory; "
                f"max_dynamic_shared_size_bytes is {self.max_dynamic_shared_size_bytes}"
            )

    def _passed(self, i: int, value, is_pointer: bool, kind: str, size: int):
        """The bytes that the kernel finds as its argument i."""
        what = f"argument {i} of {self.name}"
        if is_pointer:
            if value is None:
                return ctypes.c_void_p(None)
            array = getattr(value, "_a", None)
            if not isinstance(array, np.ndarray):
                if type(value).__name__ == "MemoryPointer":
                    return ctypes.c_void_p(value.ptr)
                raise TypeError(f"{what} is a pointer; it was given {type(value).__name__}, not an array on the device")
            if not array.flags.c_contiguous:
                raise TypeError(f"{what}: strides {array.strides} for shape {array.shape}; a kernel sees only memory")
            same = array.dtype.itemsize == size and (kind == "V" or array.dtype.kind == kind)
            if size and not same:
                raise TypeError(f"{what} points to {_spelled(kind, size)}; it was given an array of {array.dtype}")
            return ctypes.c_void_p(array.__array_interface__["data"][0])
        if isinstance(value, np.ndarray) and value.size == 1:  # a struct by value
            if value.nbytes != size:
                raise TypeError(f"{what} has {size} bytes; it was given {value.nbytes}")
            return ctypes.create_string_buffer(value.tobytes(), size)
        if not isinstance(value, np.generic):
            raise TypeError(
                f"{what} is {_spelled(kind, size)}; it was given a {type(value).__name__}. CuPy passes a Python int "
                "as 64 bits and a float as a double: say np.int32, np.int64, np.float32"
            )
        if value.dtype.itemsize != size or (kind != "V" and value.dtype.kind != kind):
            raise TypeError(f"{what} is {_spelled(kind, size)}; it was given a {value.dtype}")
        return ctypes.create_string_buffer(value.tobytes(), size)


def _spelled(kind: str, size: int) -> str:
    return {"f": "float", "i": "int", "u": "unsigned int", "b": "bool", "V": "struct"}[kind] + f" of {size} bytes"
