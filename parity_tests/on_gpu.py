"""The GPU of the tests: the real one where there is one, else the stand-in for CuPy (cupy_standin)."""

import contextlib

import numpy as np
from conftest import gpu_name

from minitorch2_kernels import precision

REAL = gpu_name() is not None


@contextlib.contextmanager
def gpu():
    """`device="cuda"` works inside."""
    if REAL:
        before, precision.layers_allow_tf32 = precision.layers_allow_tf32, False  # tolerances are float32's
        try:
            yield
        finally:
            precision.layers_allow_tf32 = before
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
