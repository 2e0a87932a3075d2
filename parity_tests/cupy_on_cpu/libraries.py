"""What has no source to run, by NumPy on the device's memory: thrust's sorting, cuSOLVER, cuBLAS."""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType

import numpy as np
from cupy_standin import cublas as standin

SOLVED = ("cholesky", "det", "eigh", "eigvalsh", "inv", "lstsq", "pinv", "qr", "slogdet", "solve", "svd")


def install(library) -> None:
    import cupy
    from cupy.cuda import thrust

    thrust.sort, thrust.argsort = _sort, _argsort
    for name in SOLVED:
        setattr(cupy.linalg, name, _on_the_host(cupy, getattr(np.linalg, name)))
    # CuPy's own binding of cuBLAS: to be imported, for products of integers, and never called
    binding = "cupy_backends.cuda.libs.cublas"
    sys.modules[binding] = sys.modules[binding.rpartition(".")[0]].cublas = ModuleType(binding)

    from minitorch2_kernels.cuda import cublas

    cublas.Library = _recorded(library)


def _memory(pointer: int, dtype, shape) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(pointer), np.uint8).view(dtype).reshape(shape)


def _sort(dtype, data, keys, shape):
    numbers = _memory(data, dtype, shape)
    numbers[...] = np.sort(numbers, axis=-1, kind="stable")


def _argsort(dtype, indices, data, keys, shape):
    numbers = _memory(data, dtype, shape)
    order = np.argsort(numbers, axis=-1, kind="stable")
    _memory(indices, np.intp, shape)[...] = order
    numbers[...] = np.take_along_axis(numbers, order, axis=-1)


def _on_the_host(cupy, function):
    """NumPy's function with CuPy's arrays in and out; where it raises, CuPy raises only if cupyx.errstate says so."""

    def run(*args, **kwargs):
        import cupyx

        try:
            result = function(*(a.get() if isinstance(a, cupy.ndarray) else a for a in args), **kwargs)
        except np.linalg.LinAlgError:
            if cupyx.geterr()["linalg"] == "raise":
                raise
            result = np.full(args[-1].shape, np.nan, args[-1].dtype)
        return tuple(map(cupy.asarray, result)) if isinstance(result, tuple) else cupy.asarray(result)

    return run


def _recorded(library):
    """The stand-in's cuBLAS, whose products a graph under capture gets and does when it is launched."""
    products = []

    @ctypes.CFUNCTYPE(None, ctypes.c_long)
    def again(number):
        products[number]()

    library.on_call(again)

    class Library(standin.Library):
        kept = again  # C does not keep it

        def _product(self, *args):
            products.append(lambda: standin.Library._product(self, *args))
            if library.record_call(ctypes.c_long(len(products) - 1)):
                return 0
            return products.pop()()

    return Library
