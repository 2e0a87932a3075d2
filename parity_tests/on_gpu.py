"""The GPU of the tests: the real one where there is one, else the stand-in for CuPy (cupy_standin), or CuPy itself with
its kernels on the CPU (cupy_on_cpu)."""

import contextlib
import sys

import numpy as np
from conftest import CUPY_ON_CPU, gpu_name

from minitorch2_kernels import precision

REAL = gpu_name() is not None


@contextlib.contextmanager
def gpu():
    """`device="cuda"` works inside."""
    if REAL or CUPY_ON_CPU in sys.modules:
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


@contextlib.contextmanager
def everything_on_gpu():
    """What tests make with no device named is made on the GPU inside, in torch as well where the GPU is a real one.

    Arrays of NumPy's go there and come back by themselves, which torch's from_numpy and numpy() do not do, so that a
    test written for the CPU is one for the GPU. On the stand-in, whose partner is torch on the CPU, random numbers
    are the CPU's: Philox has tests of its own.
    """
    import torch

    import minitorch2 as mt

    libraries = [mt, torch] if REAL else [mt]
    with gpu(), contextlib.ExitStack() as undo:
        for lib in libraries:
            _cross_by_themselves(lib, undo)
            lib.set_default_device("cuda")
            undo.callback(lib.set_default_device, None)
        if not REAL:
            _draw_as_the_cpu(undo)
        yield


def _cross_by_themselves(lib, undo):
    from_numpy, numpy = lib.from_numpy, lib.Tensor.numpy

    def back(self, *, force=False):
        return numpy(self if self.requires_grad and not force else self.cpu(), force=force)

    _set(lib, "from_numpy", lambda array: from_numpy(array).cuda(), undo)
    _set(lib.Tensor, "numpy", back, undo)


DRAWS = {"uniform", "normal", "bernoulli", "integers", "exponential", "cauchy", "log_normal", "geometric", "randperm"}


def _draw_as_the_cpu(undo):
    from minitorch2.core import cuda_generator
    from minitorch2.core.device import CPU, device, moved
    from minitorch2.core.multinomial import multinomial
    from minitorch2.ops.random import default_generator

    there = device("cuda", 0)

    class Drawn(cuda_generator.CudaGenerator):
        """The CPU's default generator, with what it draws moved to the GPU."""

        def __init__(self):
            self.device = there

        def __getattribute__(self, name):
            if name in ("device", "dropout", "categories", "__class__"):
                return object.__getattribute__(self, name)
            found = getattr(default_generator, name)
            return moves(found) if name in DRAWS else found

        def dropout(self, x, keep):
            mask = self.bernoulli(x.shape, np.dtype(bool), keep)
            return x / np.asarray(keep, x.dtype).item() * mask, mask

        def categories(self, weights, n, replacement):
            return moved(multinomial(default_generator, moved(weights, CPU), n, replacement), there)

    def moves(draw):
        def there_too(*args, **kwargs):
            return moved(np.asarray(draw(*(host(a) if hasattr(a, "get") else a for a in args), **kwargs)), there)

        return there_too

    before = dict(cuda_generator._generators)
    undo.callback(cuda_generator._generators.update, before)
    undo.callback(cuda_generator._generators.clear)
    cuda_generator._generators[0] = Drawn()


def _set(owner, name, value, undo):
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def host(array) -> np.ndarray:
    """The array on the CPU."""
    return array.get() if hasattr(array, "get") else np.asarray(array)
