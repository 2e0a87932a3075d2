"""Which implementation of a kernel runs.

A kernel is a plain function, arrays in and arrays out. Its reference implementation runs unchanged on NumPy and CuPy;
overrides are faster ones for some inputs. The newest override whose `supports(*args)` says yes is called.
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


def kernel(reference) -> Any:
    """Makes `reference` a kernel: the same function, with `.override(supports)` to register a faster one."""
    overrides: list = []

    def dispatch(*args):
        if overrides and not _reference_only:
            for supports, implementation in reversed(overrides):
                if supports(*args):
                    return implementation(*args)
        return reference(*args)

    def override(supports):
        def register(implementation):
            overrides.append((supports, implementation))
            return implementation

        return register

    made: Any = functools.wraps(reference)(dispatch)
    made.reference, made.overrides, made.override = reference, overrides, override
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
