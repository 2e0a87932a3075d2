"""Calls of the CUDA kernels, for test_cuda_kernels.py and others: what to draw, what to compare with, how closely.

A kernel with overrides for the GPU is held to its reference on NumPy by the draws of test_kernels.py; it needs a row in
`KERNELS` only. What is no such kernel (the multi-tensor optimizers, the random numbers) goes into `FUNCTIONS`.

On a machine with a GPU the arrays are CuPy's and the kernels run there. Elsewhere the stand-in for CuPy holds the
arrays and the sources run emulated.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import cuda_emulation
import cupy_standin
import numpy as np
import test_kernels

from minitorch2_kernels import dispatch

EXACT = 0.0
ANOTHER_ORDER = test_kernels.ANOTHER_ORDER


class Case(NamedTuple):
    draw: Callable[[Any], tuple]  # test_kernels.Draw -> the arguments, arrays NumPy's
    tolerance: float  # in units of the dtype's eps and of the largest value


def kernel(name: str, tolerance: float, draw: Callable | None = None) -> Case:
    """The case of a kernel of that name: the CPU's draw, unless the GPU's needs other sizes."""
    return Case(draw or test_kernels.CASES[name][0], tolerance)


def linear(d):
    rows, inputs, outputs = d.int(1, 9), d.int(1, 9), d.int(1, 9)
    return d.array(rows, inputs), d.array(outputs, inputs), d.array(outputs) if d.int(0, 1) else None


# The kernels with overrides for the GPU, by name.
KERNELS: dict[str, Case] = {
    "matmul": kernel("matmul", ANOTHER_ORDER),
    "linear": kernel("linear", ANOTHER_ORDER, linear),
    "pick": kernel("pick", EXACT),
    "put": kernel("put", EXACT),
}


class Function(NamedTuple):
    module: str  # in minitorch2_kernels.cuda
    name: str
    reference: Callable  # the same on NumPy arrays
    draw: Callable[[Any], tuple]
    tolerance: float


FUNCTIONS: dict[str, Function] = {}


def has_gpu() -> bool:
    """Whether there is a GPU and CuPy for it, the real one."""
    try:
        import cupy
    except ImportError:
        return False
    return not isinstance(cupy, cupy_standin.module.Module) and cupy.is_available()


@contextlib.contextmanager
def cupy_or_standin():
    """CuPy with a GPU, or else the stand-in as the module `cupy` for this block; the overrides are registered."""
    real = has_gpu()
    if real:
        import cupy
    else:
        cupy = cupy_standin.install()
        cupy.RawModule = cuda_emulation.RawModule
        cupy.cuda.compiler = SimpleNamespace(CompileException=cuda_emulation.CompileException)
    dispatch.admit(cupy.ndarray)
    importlib.import_module("minitorch2_kernels.cuda")
    try:
        yield cupy
    finally:
        if not real:
            cupy_standin.uninstall()


def to_device(cupy, value):
    """An array on the device like this one, lists and tuples of arrays included; with gaps where it has gaps."""
    if isinstance(value, list | tuple):
        return type(value)(to_device(cupy, v) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    if value.flags.c_contiguous:
        return cupy.asarray(value)
    if value.flags.f_contiguous:
        return cupy.asarray(value.T).T
    wide = cupy.zeros((*value.shape[:-1], 2 * value.shape[-1]), value.dtype)
    wide[..., ::2] = cupy.asarray(np.ascontiguousarray(value))
    return wide[..., ::2]


def to_host(value):
    """The NumPy arrays in it, as a flat list."""
    if isinstance(value, list | tuple):
        return [array for v in value for array in to_host(v)]
    if hasattr(value, "get"):
        return [value.get()]
    return [value] if isinstance(value, np.ndarray) else []


def results(function, args) -> list[np.ndarray]:
    """What it returns, and its arguments afterwards: the optimizer updates write to theirs."""
    with np.errstate(all="ignore"):
        return to_host([function(*args), *args])


def fresh(args):
    """Copies, each laid out as its original."""
    if isinstance(args, list | tuple):
        return type(args)(fresh(a) for a in args)
    return args.copy(order="K") if isinstance(args, np.ndarray) else args
