"""The stand-in's ndarray, and the rules by which arguments go in and results come out."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from . import arithmetic, cuda
from .layout import laid_out

NAMES = json.loads(Path(__file__).with_name("names.json").read_text())
MEMBERS = NAMES["ndarray"]  # attributes and methods; the parameters of these


class Transfers(collections.Counter):
    """ "to host", "to device": how often something crossed. While a stream is captured it is refused, as by CuPy."""

    def __setitem__(self, kind, count):
        if count:
            cuda.forbid()
        super().__setitem__(kind, count)


transfers = Transfers()


def unwrapped(value, where: str):
    """What NumPy computes with; TypeError for a NumPy array, which is not on the device."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)} in {where}: a NumPy array among the device's")
    if isinstance(value, list | tuple):
        return type(value)(unwrapped(v, where) for v in value)
    if isinstance(value, slice):
        return slice(*(unwrapped(v, where) for v in (value.start, value.stop, value.step)))
    return value


def wrapped(value):
    """A result on the device. What NumPy makes a scalar of stays an array of no dimensions, as on the device."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(value)
    if isinstance(value, list | tuple) and any(isinstance(v, np.ndarray | np.generic) for v in value):
        return tuple(wrapped(v) for v in value)
    return value


# What a capture cannot hold: what the host must know a number of, or a sort, at whose end Thrust waits; libraries
# under CuPy's own handles.
_WAITING = {"nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress", "trim_zeros", "bincount", "delete"}
_WAITING |= {"sort", "argsort", "lexsort", "partition", "argpartition", "median", "percentile", "isin", "histogram"}
_BY_LIBRARIES = {"matmul", "__matmul__", "dot", "vdot", "inner", "tensordot", "einsum", "cholesky", "inv", "lstsq"}
_BY_LIBRARIES |= {"qr", "solve", "svd", "eigh", "eigvalsh", "det", "slogdet", "pinv", "matrix_rank"}


def check_capture(name: str) -> None:
    if name in _WAITING:
        cuda.forbid()
    if name in _BY_LIBRARIES:
        cuda.forbid("calling cuBLAS API during stream capture is currently unsupported", NotImplementedError)


def check_arguments(name: str, parameters: list[str] | None, args, kwargs) -> None:
    """TypeError where CuPy's function of that name lacks a keyword or takes fewer arguments; None: it does not tell."""
    if parameters is None or {"args", "kwargs"} & set(parameters):
        return
    unknown = [key for key in kwargs if key not in parameters]
    too_many = len(args) > len(parameters) and not any(each.startswith("*") for each in parameters)
    if unknown or too_many:
        raise TypeError(f"cupy's {name} takes ({', '.join(parameters)}), not {unknown or len(args)}")


def on_device(function, name: str, parameters: list[str] | None = None):
    """`function`, a NumPy function or method, for arrays on the device."""
    own = getattr(function, "__self__", None)

    def call(*args, **kwargs):
        check_arguments(name, parameters, args, kwargs)
        check_capture(name)
        out = kwargs.get("out")
        args = [unwrapped(a, name) for a in args]
        result = function(*args, **{key: unwrapped(value, name) for key, value in kwargs.items()})
        if isinstance(out, tuple):
            return out[0] if len(out) == 1 else out
        if out is not None:
            return out
        source, *rest = (own, *args) if isinstance(own, np.ndarray) else args or (None,)
        return wrapped(laid_out(result, name, source, kwargs.get("axis", rest[0] if rest else None)))

    call.__name__ = name
    return call


class ndarray:
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array):
        self._a = np.asarray(array)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        import cupy

        function = getattr(cupy, ufunc.__name__, None)
        if function is None:
            return NotImplemented
        if out is not None:
            kwargs["out"] = out[0] if len(out) == 1 else out
        return (function if method == "__call__" else getattr(function, method))(*inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        import cupy

        module = cupy
        for part in function.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        ours = getattr(module, function.__name__, None)
        if ours is None or any(not issubclass(t, ndarray | np.ndarray) for t in types):
            return NotImplemented
        return ours(*args, **kwargs)

    @property
    def data(self):
        """As cupy.cuda.MemoryPointer: `.ptr` is the address of the first element."""
        return SimpleNamespace(ptr=self._a.__array_interface__["data"][0], device_id=0)

    @property
    def device(self):
        import cupy

        return cupy.cuda.Device(0)

    @property
    def flags(self):  # CuPy's have no `writeable`
        flags = self._a.flags
        return SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata, forc=flags.forc
        )

    @property
    def base(self):
        return None if self._a.base is None else ndarray(self._a.base)

    @property
    def T(self):
        return ndarray(self._a.T)

    def get(self, stream=None, order="C", out=None, blocking=True):
        transfers["to host"] += 1
        return self._a.copy()

    def set(self, array, stream=None):
        transfers["to device"] += 1
        self._a[...] = array

    def item(self):
        transfers["to host"] += 1
        return self._a.item()

    def tolist(self):
        transfers["to host"] += 1
        return self._a.tolist()

    def view(self, dtype=None):
        return ndarray(self._a.view() if dtype is None else self._a.view(dtype))

    def fill(self, value):
        self._a.fill(unwrapped(value, "fill"))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        with np.errstate(all="ignore"):
            array = arithmetic.within_32_bits(self._a) if dtype == np.uint8 else self._a
            return ndarray(array.astype(dtype, order=order, copy=copy))

    def diagonal(self, offset=0, axis1=0, axis2=1):
        view = self._a.diagonal(offset, axis1, axis2)
        view.flags.writeable = self._a.flags.writeable  # NumPy's is read-only
        return ndarray(view)

    def __getattr__(self, name):
        if name.startswith("__") or name not in MEMBERS:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        value = getattr(self._a, name)
        if callable(value):
            return on_device(value, name, MEMBERS[name])
        return wrapped(value) if name != "shape" else value

    def __getitem__(self, key):
        key = _index(key)
        value = self._a[key]
        if isinstance(value, np.generic):  # on the device that is a view without dims
            value = self._a[(*key, ...) if isinstance(key, tuple) else (key, ...)]
        return ndarray(value)

    def __setitem__(self, key, value):
        self._a[_index(key)] = unwrapped(value, "__setitem__")

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return map(ndarray, self._a)

    def _number(self):
        transfers["to host"] += 1
        return self._a

    def __bool__(self):
        return bool(self._number())

    def __int__(self):
        return int(self._number())

    def __float__(self):
        return float(self._number())

    def __repr__(self):
        return repr(self._number())

    def __copy__(self):
        return ndarray(self._a.copy())

    def __deepcopy__(self, memo):
        return ndarray(self._a.copy())

    def __reduce__(self):
        transfers["to host"] += 1
        return (ndarray, (self._a,))


def _index(key):
    if isinstance(key, np.ndarray) and key.ndim:
        raise TypeError("an index that is a NumPy array would be copied to the device in silence")
    if isinstance(key, tuple):
        return tuple(_index(k) for k in key)
    if isinstance(key, list):
        raise TypeError("an index that is a list would be copied to the device in silence")
    if isinstance(key, ndarray) and key._a.dtype == bool:
        cuda.forbid()  # how much it selects, the host must know
    return unwrapped(key, "an index")


def _operator(name):
    otherwise = arithmetic.operator(name)

    def apply(self, other, *rest):
        if isinstance(other, list | tuple | str | bytes) or other is None:
            return NotImplemented
        check_capture(name)
        with np.errstate(all="ignore"):
            other = unwrapped(other, name)
            result = getattr(self._a, name)(other, *rest) if otherwise is None else otherwise(self._a, other)
        if result is NotImplemented:
            return result
        return self if name.startswith("__i") and name != "__invert__" else wrapped(laid_out(result, name, None, None))

    apply.__name__ = name
    return apply


def _unary(name):
    return lambda self: wrapped(laid_out(getattr(self._a, name)(), name, None, None))


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    for _kind in ("", "r", "i"):
        setattr(ndarray, f"__{_kind}{_name}__", _operator(f"__{_kind}{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(f"__{_name}__"))
