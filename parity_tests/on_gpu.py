"""The GPU of the tests: the real one where there is one, else the stand-in for CuPy (cupy_standin)."""

import contextlib

import numpy as np
from conftest import gpu_name

REAL = gpu_name() is not None


@contextlib.contextmanager
def gpu():
    """`device="cuda"` works inside."""
    if REAL:
        yield
        return
    import cupy_standin

    from minitorch2.core import device
    from minitorch2_kernels import dispatch

    cupy_standin.install()
    device.cupy.cache_clear()
    device.cupy()
    try:
        yield
    finally:
        device.cupy.cache_clear()
        dispatch.admit(dispatch._Nothing)
        cupy_standin.uninstall()


def host(array) -> np.ndarray:
    """The array on the CPU."""
    return array.get() if hasattr(array, "get") else np.asarray(array)
