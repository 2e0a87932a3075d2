"""The stand-in's module: CuPy's functions by NumPy's of the same name, with CuPy's parameters."""

from __future__ import annotations

import contextlib
import functools
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
from cuda_emulation import CompileException, RawKernel, RawModule

from . import arithmetic, cublas
from .arrays import NAMES, ndarray, on_device, transfers, unwrapped, wrapped
from .layout import laid_out

_OUT_OF_NOTHING = {"array", "asarray", "ascontiguousarray", "asanyarray"}  # take what is on the host, openly


_INTEGERS = ("int32", "int64", "uint32", "uint64")
AT = {  # the dtypes that each ufunc has atomics for
    "add": (*_INTEGERS, "float16", "float32", "float64"),
    "subtract": ("int32", "uint32"),
    **dict.fromkeys(("maximum", "minimum"), (*_INTEGERS, "float32", "float64")),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), _INTEGERS),
}


class ufunc:
    """A ufunc with CuPy's keywords, which are fewer than NumPy's; `at` where CuPy has it."""

    def __init__(self, function):
        self._function, self.__name__ = function, function.__name__
        self.nin, self.nout = function.nin, function.nout

    def __call__(self, *args, out=None, dtype=None, casting="same_kind"):
        if any(isinstance(a, list | tuple) for a in args):
            raise TypeError(f"Unsupported type {list} in {self.__name__}")
        named = {} if dtype is None else {"dtype": dtype}
        if out is not None:
            named["out"] = unwrapped(out, self.__name__)
        with np.errstate(all="ignore"):
            args = [unwrapped(a, self.__name__) for a in args]
            if self.__name__ in arithmetic.OTHERWISE and not named:
                result = arithmetic.OTHERWISE[self.__name__](*args)
            else:
                result = self._function(*args, casting=casting, **named)
        if out is not None:
            return out[0] if isinstance(out, tuple) and len(out) == 1 else out
        return wrapped(laid_out(result, self.__name__, None, None))

    def at(self, a, indices, b=None):
        if self.__name__ not in AT:
            raise NotImplementedError(f"`{self.__name__}.at` is not supported yet")
        if isinstance(indices, tuple):
            raise TypeError(f"operand type(s) all returned NotImplemented from __array_ufunc__({self.__name__}, 'at')")
        if a.dtype.name not in AT[self.__name__]:
            raise TypeError(f"cupy.{self.__name__}.at only supports {', '.join(AT[self.__name__])} as data type")
        a, indices, b = (unwrapped(x, f"{self.__name__}.at") for x in (a, indices, b))
        function = self._function
        if a.dtype.kind == "f" and self.__name__ in ("maximum", "minimum"):  # by fmaxf: of float64 too, and a NaN loses
            a[indices] = a[indices].astype(np.float32)
            b, function = np.asarray(b, np.float32), {"maximum": np.fmax, "minimum": np.fmin}[self.__name__]
        function.at(a, indices, b)

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        return self._method("reduce", "add", "multiply")(array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        return self._method("accumulate", "add", "multiply")(array, axis=axis, dtype=dtype, out=out)

    def reduceat(self, array, indices, axis=0, dtype=None, out=None):
        return self._method("reduceat", "add")(array, indices, axis=axis, dtype=dtype, out=out)

    def _method(self, name, *having):
        if self.__name__ not in having:
            raise NotImplementedError(f"`cupy_{self.__name__}.{name}` is not supported yet")
        return on_device(getattr(self._function, name), self.__name__)


def _checked(function, name: str, parameters):
    """`function` for arrays on the device, refusing arguments that CuPy's of that name does not have."""
    call = on_device(function, name, parameters)

    def checked(*args, **kwargs):
        with np.errstate(all="ignore"):
            return call(*args, **kwargs)

    checked.__name__ = name
    return checked


def _to_device(function, name: str):
    def call(a, *args, **kwargs):
        if isinstance(a, ndarray):
            return ndarray(function(a._a, *args, **kwargs))
        if not np.isscalar(a) and getattr(a, "ndim", 1):  # a number goes with the launch
            transfers["to device"] += 1
        return ndarray(function(unwrapped_on_host(a), *args, **kwargs))

    call.__name__ = name
    return call


def unwrapped_on_host(a):
    """Lists of device arrays are stacked, host arrays copied, as cupy.array does."""
    if isinstance(a, list | tuple):
        return [unwrapped_on_host(x) for x in a]
    return a._a if isinstance(a, ndarray) else np.array(a, copy=True)


_LIKE = ("empty_like", "full_like", "ones_like", "zeros_like")


def _like(function):
    """CuPy takes shape=() for no shape at all."""
    return lambda *args, shape=None, **kwargs: function(*args, **kwargs, **({"shape": shape} if shape else {}))


def _joining(function):
    """CuPy sends the addresses of more than eight small arrays to the device."""

    def call(arrays, *args, **kwargs):
        arrays = list(arrays)
        if len(arrays) > 8:
            transfers["to device"] += 1
        return function(arrays, *args, **kwargs)

    return call


class Module(ModuleType):
    def __init__(self, name: str, numpy_module, table: dict):
        super().__init__(name)
        self._numpy, self._table = numpy_module, table

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _LIKE:
            value = _like(_checked(getattr(self._numpy, name), name, self._table[name]))
            setattr(self, name, value)
            return value
        value = getattr(self._numpy, name, None)
        if value is None or (name not in self._table and callable(value) and not isinstance(value, type)):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if self._table.get(name) == "ufunc" and isinstance(value, np.ufunc):
            value = ufunc(value)
        elif name in _OUT_OF_NOTHING:
            value = _to_device(value, name)
        elif name in ("concatenate", "stack"):
            value = _joining(_checked(value, name, self._table[name]))
        elif callable(value) and not isinstance(value, type):
            value = _checked(value, name, self._table[name] if self._table[name] != "ufunc" else None)
        setattr(self, name, value)
        return value


class Linalg(Module):
    """Its routines raise where they fail only inside cupyx.errstate(linalg="raise"); outside, a real GPU goes on with
    whatever they left, and code that counts on an exception is wrong."""

    def __getattr__(self, name: str):
        routine = super().__getattr__(name)
        if not callable(routine) or isinstance(routine, type):
            return routine

        def call(*args, **kwargs):
            try:
                return routine(*args, **kwargs)
            except np.linalg.LinAlgError as error:
                assert _linalg_errors[-1] == "raise", f"cupy.linalg.{name} does not raise by itself: {error}"
                raise

        call.__name__ = name
        setattr(self, name, call)
        return call


_linalg_errors = ["ignore"]


@contextlib.contextmanager
def errstate(*, linalg=None):
    """cupyx.errstate."""
    assert linalg in ("ignore", "raise")
    _linalg_errors.append(linalg)
    try:
        yield
    finally:
        _linalg_errors.pop()


def copyto(dst, src, casting="same_kind", where=None):
    """CuPy's takes numbers and device arrays."""
    if not isinstance(dst, ndarray):
        raise TypeError("dst must be cupy.ndarray")
    where = True if where is None else unwrapped(where, "copyto")
    np.copyto(dst._a, unwrapped(src, "copyto"), casting=casting, where=where)


def broadcast_to(array, shape):
    """NumPy's is read-only."""
    array = unwrapped(array, "broadcast_to")
    view = np.broadcast_to(array, shape)
    return ndarray(np.lib.stride_tricks.as_strided(array, view.shape, view.strides))


def where(condition, x=None, y=None):
    """CuPy's asks its condition to convert itself, which a bool of Python's cannot."""
    if isinstance(condition, bool):
        raise AttributeError("'bool' object has no attribute 'astype'")
    if x is None and y is None:
        return on_device(np.where, "nonzero")(condition)
    return on_device(np.where, "where")(condition, x, y)


def take_along_axis(a, indices, axis):
    taken = np.take_along_axis(unwrapped(a, "take_along_axis"), unwrapped(indices, "take_along_axis"), axis)
    return ndarray(np.ascontiguousarray(taken))


def may_share_memory(a, b, max_work=None):
    return np.may_share_memory(unwrapped(a, "may_share_memory"), unwrapped(b, "may_share_memory"))


def make() -> Module:
    """A module like cupy."""
    from . import cuda

    cupy = Module("cupy", np, NAMES["functions"][""])
    cupy.__version__ = NAMES["version"]
    cupy.__path__ = []  # a package: `import cupy.cuda` is looked up in sys.modules
    cupy.ndarray, cupy.ufunc = ndarray, ufunc
    cupy.copyto, cupy.may_share_memory, cupy.take_along_axis = copyto, may_share_memory, take_along_axis
    cupy.broadcast_to, cupy.where = broadcast_to, where
    cupy.asnumpy = lambda a, **_: a.get() if isinstance(a, ndarray) else np.asarray(a)
    cupy.get_array_module = lambda *arrays: cupy if any(isinstance(a, ndarray) for a in arrays) else np
    cupy.is_available = lambda: True
    cupy.linalg = Linalg("cupy.linalg", np.linalg, NAMES["functions"]["linalg"])
    cupy.lib = ModuleType("cupy.lib")
    cupy.lib.stride_tricks = ModuleType("cupy.lib.stride_tricks")
    cupy.lib.stride_tricks.as_strided = _checked(
        np.lib.stride_tricks.as_strided, "as_strided", ["x", "shape", "strides"]
    )
    cuda.furnish(cupy)
    cupy.RawModule, cupy.RawKernel = RawModule, RawKernel
    cupy.cuda.compiler = SimpleNamespace(CompileException=CompileException)
    return cupy


_made = functools.cache(make)


def install() -> Module:
    """Makes the stand-in the `cupy` that is imported from now on; nothing may have imported the real one before."""
    cupy = _made()
    if sys.modules.get("cupy", cupy) is not cupy:
        raise RuntimeError("the real CuPy is imported already")
    for module in (cupy, cupy.linalg, cupy.lib, cupy.lib.stride_tricks, cupy.cuda):
        sys.modules[module.__name__] = module
    sys.modules["cupyx"] = cupyx = ModuleType("cupyx")
    cupyx.errstate = errstate
    from minitorch2_kernels.cuda import cublas as used

    if not isinstance(used._library, cublas.Library):
        used.use(cublas.Library())
    return cupy


def uninstall() -> None:
    """Takes the stand-in out of sys.modules again; `install` brings the same one back."""
    for name in [n for n, m in sys.modules.items() if n.split(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[name]
