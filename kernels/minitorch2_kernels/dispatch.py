"""Which implementation of a kernel runs.

A kernel is a plain function, arrays in and arrays out, first an array or a list of arrays. Its reference implementation
runs unchanged on NumPy and CuPy; overrides are faster ones for some inputs, `override` for NumPy's arrays and
`cuda_override` for CuPy's. The newest override whose `supports(*args)` says yes is called. Those of the CPU are
imported when the first kernel is called: they are a third of what importing minitorch2 would take beside NumPy.
MINITORCH2_KERNELS=reference in the environment, or `with use_reference():`, calls the reference only.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from typing import Any

import numpy as np

_overrides_missing = True  # until the first kernel is called
_reference_only = os.environ.get("MINITORCH2_KERNELS", "") == "reference"
KERNELS: dict = {}  # name -> the kernel, for tests that hold every override to its reference


class _Nothing:
    """The type of no array."""


class Arrays(list):
    """A list of arrays that stays as it is: a kernel that is called with it again may keep on it, as `known`, what it
    worked out about them."""

    known: Any = None


_device_array: type = _Nothing  # cupy.ndarray, once CuPy is in use
ARRAYS = {np.ndarray}  # the types of arrays, for a look that costs less than `is_array`


def admit(array_type: type) -> None:
    """Says that arrays of this type, CuPy's, are arrays from now on."""
    global _device_array
    ARRAYS.discard(_device_array)
    ARRAYS.add(array_type)
    _device_array = array_type


def on_device(x) -> bool:
    """Whether this is an array on a GPU."""
    return type(x) is _device_array


def is_array(x) -> bool:
    """Whether this is an array, here or on a GPU."""
    return isinstance(x, np.ndarray) or on_device(x)


def namespace(array) -> Any:
    """The module that computes on this array: numpy, or cupy where the array is CuPy's."""
    return sys.modules["cupy"] if on_device(array) else np


def asarray(x, dtype=None):
    """x as an array of `dtype` where it lies; itself if it is one. NumPy's scalars become arrays without dims."""
    if type(x) is not np.ndarray and type(x) in ARRAYS:
        return x if dtype is None else x.astype(dtype, copy=False)
    return np.asarray(x, dtype)


def _like(function):
    """NumPy's `function`(x, ..., shape=None), which makes an array like x. CuPy takes shape=() for no shape at all.

    One of another shape lies in x's order, but in rows where x, the gradient of a sum for instance, has one number for
    many places: NumPy takes such a dim for the innermost.
    """

    @functools.wraps(function)
    def make(x, *args, shape=None, **kwargs):
        if shape is None:
            return function(x, *args, **kwargs)
        if shape == () and on_device(x):
            return function(x, *args, shape=(1,), **kwargs).reshape(())
        if 0 in x.strides:
            kwargs.setdefault("order", "C")
        return function(x, *args, shape=shape, **kwargs)

    return make


empty_like, full_like, ones_like, zeros_like = map(_like, (np.empty_like, np.full_like, np.ones_like, np.zeros_like))


def where(condition, a, b):
    """a where condition, b elsewhere. CuPy moves the bytes of a bfloat16, but does not choose among them."""
    if on_device(condition) and a.__class__ is b.__class__ is condition.__class__ and a.dtype.kind == "V":
        return np.where(condition, a.view(np.uint16), b.view(np.uint16)).view(a.dtype)
    return np.where(condition, a, b)


def _registrar(overrides: list):
    def override(supports):
        def register(implementation):
            overrides.append((supports, implementation))
            return implementation

        return register

    return override


def _import_overrides() -> None:
    global _overrides_missing
    importlib.import_module(".cpu", __package__)
    _overrides_missing = False


def kernel(reference) -> Any:
    """Makes `reference` a kernel: the same function, with `.override(supports)` to register a faster one for the CPU,
    `.cuda_override(supports)` for the GPU."""
    on_host: list = []  # (supports, implementation), the newest last
    on_device: list = []

    def dispatch(*args):
        if not _reference_only:
            if _overrides_missing:
                _import_overrides()
            kind = args[0].__class__
            if kind is list or kind is Arrays:
                kind = args[0][0].__class__ if args[0] else None
            for supports, implementation in reversed(on_device if kind is _device_array else on_host):
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
