"""cuBLAS with handles of our own, called through ctypes.

CuPy's binding of cuBLAS refuses to work while a stream is being captured into a CUDA graph, and its matmul copies
transposed batches and has no batched products in half precision. So the library that CuPy brings is opened once more,
under handles that CuPy does not know of.

A handle belongs to one device and one thread. It works on the stream that was current at its last call: setting a
stream makes cuBLAS forget the workspace it was given, so both are set together, and only when the stream has changed.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import threading
from typing import Any

import cupy

# cudaDataType, cublasComputeType_t, cublasGemmAlgo_t, cublasMath_t
R_32F, R_64F, R_16F, R_16BF = 0, 1, 2, 14
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F = 68, 77, 70
DEFAULT_ALGORITHM = -1
SUMS_IN_FULL = 16  # CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: half precision is summed in float32 throughout

STATUS = {
    1: "NOT_INITIALIZED",
    3: "ALLOC_FAILED",
    7: "INVALID_VALUE",
    8: "ARCH_MISMATCH",
    11: "MAPPING_ERROR",
    13: "EXECUTION_FAILED",
    14: "INTERNAL_ERROR",
    15: "NOT_SUPPORTED",
    16: "LICENSE_ERROR",
}


def check(status: int, function: str) -> None:
    """RuntimeError, in torch's words, for what a function of cuBLAS returned."""
    if status:
        raise RuntimeError(f"CUDA error: CUBLAS_STATUS_{STATUS.get(status, status)} when calling `{function}`")


def _path() -> str:
    """Where the libcublas lies that CuPy uses."""
    try:
        pathfinder = importlib.import_module("cuda.pathfinder")  # CuPy 14 finds its libraries with it
    except ImportError:
        return "libcublas.so.13"
    try:
        return pathfinder.load_nvidia_dynamic_lib("cublas").abs_path or "libcublas.so.13"
    except RuntimeError as error:
        raise RuntimeError(_MISSING.format(str(error).strip())) from None


_MISSING = (
    "minitorch2 multiplies matrices on a GPU with NVIDIA's cuBLAS, which is not found: "
    "pip install 'cupy-cuda13x[ctk]' brings it, so does the CUDA toolkit ({})"
)


class Library:
    """The functions of cuBLAS that are used, on plain integers: addresses, sizes, strides in elements.

    gemm(handle, transa, transb, m, n, k, alpha, A, type, lda, B, type, ldb, beta, C, type, ldc, compute, algorithm)
    and gemm_batched (with the stride after each ld, and the count after C's) return cuBLAS's status.
    """

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_path())
        except OSError as error:
            raise RuntimeError(_MISSING.format(error)) from None
        address, integer, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
        matrix, sizes = (address, integer, long), (address, integer, integer, long, long, long, address)
        self._library = library
        # The variants with 64-bit sizes: a tensor of more than 2**31 elements is no special case.
        self.gemm: Any = library.cublasGemmEx_64
        self.gemm.argtypes = (*sizes, *matrix, *matrix, address, *matrix, integer, integer)
        self.gemm_batched: Any = library.cublasGemmStridedBatchedEx_64
        strided = (*matrix, ctypes.c_longlong)
        self.gemm_batched.argtypes = (*sizes, *strided, *strided, address, *strided, long, integer, integer)
        library.cublasCreate_v2.argtypes = (ctypes.POINTER(address),)
        library.cublasDestroy_v2.argtypes = (address,)
        library.cublasSetStream_v2.argtypes = (address, address)
        library.cublasSetWorkspace_v2.argtypes = (address, address, ctypes.c_size_t)
        library.cublasSetMathMode.argtypes = (address, integer)

    def create(self) -> int:
        handle = ctypes.c_void_p()
        check(self._library.cublasCreate_v2(ctypes.byref(handle)), "cublasCreate")
        return handle.value or 0

    def destroy(self, handle: int) -> None:
        self._library.cublasDestroy_v2(handle)

    def set_stream(self, handle: int, stream: int) -> None:
        check(self._library.cublasSetStream_v2(handle, stream), "cublasSetStream")

    def set_workspace(self, handle: int, pointer: int, size: int) -> None:
        check(self._library.cublasSetWorkspace_v2(handle, pointer, size), "cublasSetWorkspace")

    def set_math_mode(self, handle: int, mode: int) -> None:
        check(self._library.cublasSetMathMode(handle, mode), "cublasSetMathMode")


class Handle:
    """One thread's cuBLAS on one device."""

    def __init__(self, library: Any, device: int) -> None:
        self.library, self.device = library, device
        self.gemm, self.gemm_batched = library.gemm, library.gemm_batched
        self.pointer = library.create()
        library.set_math_mode(self.pointer, SUMS_IN_FULL)
        major = cupy.cuda.runtime.getDeviceProperties(device)["major"]
        self._workspace_size = (32 if major >= 9 else 8) << 20  # what NVIDIA advises for Hopper, and before it
        self._stream: int | None = None
        self._workspaces: dict[int, Any] = {}  # stream -> memory

    def use(self, stream: int) -> int:
        """The handle, set to work on this stream."""
        if stream != self._stream:
            self._stream = None  # should one of the two fail, the next call sets both again
            memory = self._workspaces.get(stream)
            if memory is None:
                memory = self._workspaces[stream] = cupy.empty(self._workspace_size, "uint8")
            self.library.set_stream(self.pointer, stream)
            self.library.set_workspace(self.pointer, memory.data.ptr, self._workspace_size)
            self._stream = stream
        return self.pointer

    def forget(self, stream: int) -> None:
        self._workspaces.pop(stream, None)
        if self._stream == stream:
            self._stream = None

    def __del__(self) -> None:
        if getattr(self, "pointer", None) and not sys.is_finalizing():
            self.library.destroy(self.pointer)


_library: Any = None
_local = threading.local()


def use(library: Any) -> None:
    """Calls this library from now on, in this thread with new handles; None: NVIDIA's. For tests."""
    global _library
    _library = library
    _local.__dict__.clear()


def handle() -> Handle:
    """This thread's cuBLAS on the current device; RuntimeError where the library is not found."""
    device = cupy.cuda.runtime.getDevice()
    try:
        return _local.handles[device]
    except AttributeError:
        _local.handles = {}
    except KeyError:
        pass
    global _library
    if _library is None:
        _library = Library()
    made = _local.handles[device] = Handle(_library, device)
    return made


def forget_workspace(stream: int) -> None:
    """Takes new memory for the next product on this stream.

    Called before and after a capture: what a graph works in must come from the graph's own memory, and belong to
    nobody else.
    """
    for each in getattr(_local, "handles", {}).values():
        each.forget(stream)
