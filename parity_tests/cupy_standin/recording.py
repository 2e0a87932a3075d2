"""Captures of the stand-in: what is called is carried out and noted, then undone; a launch of the graph does it again.

On a GPU nothing runs during a capture, the kernels are only noted, with the addresses they work on. Here the calls are
noted: those of the module's functions, of arrays' methods, of emulated kernels and of cuBLAS, each with the arrays it
was given. At the end of the capture all memory that was there before is put back as it was. A launch makes the calls
again on the same arrays and writes each result where the first one lies. So, as on a GPU, a graph goes on working on
the memory of its capture: what a step keeps in Python (a new array in place of an old one, a number that changes) does
not change with the replays, and a test that compares with the uncaptured step finds it.
"""

from __future__ import annotations

import functools
from types import FunctionType

import numpy as np

_SILENT = frozenset(  # what computes nothing, or what a capture refuses
    (
        *(
            "__init__",
            "__array__",
            "__getattr__",
            "__repr__",
            "__len__",
            "__iter__",
            "__bool__",
            "__int__",
            "__float__",
        ),
        *("__reduce__", "_number", "get", "item", "tolist"),
    )
)


class Recording:
    """The calls of one capture."""

    active: Recording | None = None

    def __init__(self):
        self.calls, self.kept, self.before, self.inside = [], [], {}, False

    def start(self) -> None:
        assert Recording.active is None, "the stand-in captures one stream at a time"
        Recording.active = self

    def stop(self) -> None:
        """Ends it, and undoes what was done to memory that was there before."""
        Recording.active = None
        for memory, values in self.before.values():
            memory[...] = values

    def see(self, value) -> None:
        """Keeps the memory of all arrays in `value`, and what is in it."""
        if isinstance(value, list | tuple):
            for each in value:
                self.see(each)
        elif isinstance(value, dict):
            self.see(list(value.values()))
        elif isinstance(array := getattr(value, "_a", None), np.ndarray):
            while isinstance(array.base, np.ndarray):
                array = array.base
            if id(array) not in self.before and array.flags.writeable:
                self.before[id(array)] = array, array.copy()

    def replay(self) -> None:
        with np.errstate(all="ignore"):
            for function, args, kwargs, result in self.calls:
                _overwrite(result, function(*args, **kwargs))


def _overwrite(old, new) -> None:
    if isinstance(old, tuple):
        for each, other in zip(old, new, strict=True):
            _overwrite(each, other)
    elif isinstance(getattr(old, "_a", None), np.ndarray) and old is not new and old._a.flags.writeable:
        old._a[...] = new._a


def recorded(function):
    """`function`, whose calls from outside are noted while a stream is captured."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        recording = Recording.active
        if recording is None or recording.inside:
            return function(*args, **kwargs)
        recording.see((args, kwargs, getattr(function, "__self__", None)))
        recording.inside = True
        try:
            result = function(*args, **kwargs)
        finally:
            recording.inside = False
        name = args[1].__name__ if function.__name__ == "__array_function__" else function.__name__
        if name in ("empty", "empty_like"):
            recording.kept.append(result)  # memory is given once: a replay leaves in it what is there
        else:
            recording.calls.append((function, args, kwargs, result))
        return result

    return call


def _of_class(kind) -> None:
    for name, value in list(vars(kind).items()):
        if isinstance(value, FunctionType) and name not in _SILENT:
            setattr(kind, name, recorded(value))


def _of_getattr(kind) -> None:
    """What __getattr__ makes is recorded when it is called."""
    original = kind.__getattr__

    def made(self, name):
        value = original(self, name)
        if not callable(value) or isinstance(value, type | ufuncs):
            return value
        if Recording.active is not None:
            Recording.active.see(self)
        value = recorded(value)
        if name in vars(self):  # it keeps what it has made
            setattr(self, name, value)
        return value

    from .module import ufunc as ufuncs

    kind.__getattr__ = made


def furnish(cupy) -> None:
    """Has the calls of the stand-in's functions, arrays, kernels and cuBLAS recorded."""
    from cuda_emulation import raw_module

    from . import cublas
    from .arrays import ndarray
    from .module import Module, ufunc

    if hasattr(ndarray.fill, "__wrapped__"):
        return
    for name, value in list(vars(cupy).items()):
        if isinstance(value, FunctionType) and name not in ("is_available", "get_array_module", "asnumpy"):
            setattr(cupy, name, recorded(value))
    for kind in (ndarray, ufunc):
        _of_class(kind)
    for kind in (ndarray, Module):
        _of_getattr(kind)
    for kind in vars(raw_module).values():
        if isinstance(kind, type) and kind.__module__ == raw_module.__name__ and "__call__" in vars(kind):
            kind.__call__ = recorded(kind.__call__)
    cublas.Library._product = recorded(cublas.Library._product)

    address = ndarray.data.fget

    def data(self):
        if Recording.active is not None:
            Recording.active.see(self)  # whoever takes the address will write there
        return address(self)

    ndarray.data = property(data)
