"""Which implementation of a kernel runs.

A kernel is a plain function, arrays in and arrays out, an array first. Its reference implementation runs unchanged on
NumPy and CuPy; overrides are faster ones for some inputs, `override` for NumPy's arrays and `cuda_override` for CuPy's.
The newest override whose `supports(*args)` says yes is called.
MINITORCH2_KERNELS=reference in the environment, or `with use_reference():`, calls the reference only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import Any

import numpy as np

_reference_only = os.environ.get("MINITORCH2_KERNELS", "") == "reference"
KERNELS: dict = {}  # name -> the kernel, for tests that hold every override to its reference


def namespace(array):
    """The module that computes on this array: numpy, or cupy where the array is CuPy's."""
    if isinstance(array, np.ndarray | np.generic):
        return np
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return cupy
    return np


def _registrar(overrides: list):
    def override(supports):
        def register(implementation):
            overrides.append((supports, implementation))
            return implementation

        return register

    return override


def kernel(reference) -> Any:
    """Makes `reference` a kernel: the same function, with `.override(supports)` to register a faster one for the CPU,
    `.cuda_override(supports)` for the GPU."""
    on_host: list = []
    on_device: list = []

    def dispatch(*args):
        if not _reference_only:
            for supports, implementation in reversed(on_host if isinstance(args[0], np.ndarray) else on_device):
                if supports(*args):
                    return implementation(*args)
        return reference(*args)

    made: Any = functools.wraps(reference)(dispatch)
    made.reference, made.overrides, made.cuda_overrides = reference, on_host, on_device
    made.override, made.cuda_override = _registrar(on_host), _registrar(on_device)
    KERNELS[reference.__name__] = made
    return made


@contextlib.contextmanager
def use_reference():
    """Runs the block on reference kernels alone (the whole process: for tests and for comparing)."""
    global _reference_only
    previous, _reference_only = _reference_only, True
    try:
        yield
    finally:
        _reference_only = previous
