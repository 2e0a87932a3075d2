"""What most ops share: dims, promotion of operands, changing a dtype."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
import sys
from numbers import Number
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core import dtypes
from ..core.device import CPU, META, device_of, moved
from ..core.function import Elementwise, Function
from ..core.grad_mode import state
from ..core.memory_order import copy_like
from ..core.variable import Variable, type_name


def wrap_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front; torch's IndexError where it is out of range. A 0-d tensor has dims 0 and -1."""
    try:
        index = operator.index(dim)
        if dim is True or dim is False:  # an int to Python, no dim to torch
            raise TypeError
    except TypeError:
        raise TypeError(f"dim must be an int, not {type(dim).__name__}") from None
    bound = max(ndim, 1)
    if not -bound <= index < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {index})"
        )
    return index % bound


def wrap_dims(dims, ndim: int) -> tuple[int, ...]:
    """Several dims, each once: an int, a sequence of ints, or None for all."""
    if dims is None:
        return tuple(range(ndim))
    if not isinstance(dims, tuple | list):
        return (wrap_dim(dims, ndim),) if ndim else (wrap_dim(dims, 0),)[:0]
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    for d in wrapped:
        if wrapped.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return wrapped if ndim else ()


def shape_from(sizes) -> tuple[int, ...]:
    """(2, 3), ((2, 3),) or ([2, 3],) from varargs, as view and permute take them."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = sizes[0]
    try:
        return tuple(operator.index(s) for s in sizes)
    except TypeError:
        raise TypeError(f"sizes must be ints, got {tuple(sizes)}") from None


def remembered(function):
    """`function`, of shapes and settings alone, with its answers kept: what a layer is called with says the same in
    every step. With lists among its arguments it is called as it is."""
    kept = functools.lru_cache(maxsize=1024, typed=True)(function)

    @functools.wraps(function)
    def call(*args):
        try:
            return kept(*args)
        except TypeError:
            return function(*args)

    return call


class ToCopy(Elementwise):
    """A copy in another dtype; the gradient comes back in the first one."""

    keeps_dtype = True
    torch_name = "ToCopyBackward0"

    @staticmethod
    def forward(ctx, x, dtype):
        ctx.dtype = x.dtype
        return K.cast(x if 0 not in x.strides else copy_like(x), dtype)

    @staticmethod
    def backward(ctx, g):
        return ToCopy.apply(g, ctx.dtype), None


class Zeros(Elementwise):
    """0 everywhere: the gradient of a step, also where g is infinite and g * 0 would be NaN."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x):
        return K.zeros_like(x)

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g)


def to_dtype(x, numpy_dtype):
    """x in this NumPy dtype: itself if it has it already."""
    return x if x._data.dtype == numpy_dtype else ToCopy.apply(x, numpy_dtype)


Function.to_dtype = staticmethod(to_dtype)


def asked_dtype(op: str, x, dtype):
    """x in the dtype that the caller asked a sum or a product to be computed in."""
    dtype = dtypes.as_dtype(dtype, op)
    if dtype.category != "float" and state.grad and x.requires_grad:
        raise RuntimeError(f"Autograd not support dtype: {dtype.torch_type}")
    return to_dtype(x, dtype.numpy)


class ToDevice(Function):
    """A copy on another device; the gradient comes back to the first one."""

    keeps_dtype = True
    torch_name = "ToCopyBackward0"

    @staticmethod
    def forward(ctx, x, where):
        ctx.device = device_of(x)
        return moved(x, where)

    @staticmethod
    def backward(ctx, g):
        return ToDevice.apply(g, ctx.device), None


def to_device(x, where):
    """x on this device: itself if it is there already."""
    here = device_of(x._data)
    if here == where:
        return x
    return Function.as_tensor(moved(x._data, where)) if here == META else ToDevice.apply(x, where)


Function.to_device = staticmethod(to_device)


CHECK_ON_GPU = os.environ.get("MINITORCH2_CHECK_INDICES", "") == "1"


def within(index, n: int) -> bool:
    """Whether all elements of this array lie in [0, n).

    On a GPU the answer would have to be waited for, by every op that takes indices, and no graph could be captured; so
    there it is yes unless MINITORCH2_CHECK_INDICES=1 in the environment asks for the check. What an op reads or writes
    for an index out of range is not defined then (torch stops the program with a device-side assertion).
    """
    return not can_be_asked(index) or K.all_within(index, n)


def between(array, low, high) -> bool:
    """Whether all elements of this floating array lie in [low, high], which NaN does not; on a GPU as `within`."""
    if not can_be_asked(array) or not array.size:
        return True
    array = K.cast(array, np.float32) if array.dtype in dtypes.LOW_PRECISION else array
    return bool(array.min() >= low and array.max() <= high)


def can_be_asked(array) -> bool:
    """Whether an op may look at what this array holds before it computes."""
    return (CHECK_ON_GPU or not K.on_device(array)) and device_of(array) != META


def on_host(function):
    """A function that CuPy has no means for: tensors on a GPU are brought to the CPU for it, and the results back."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        tensors = (a for a in (*args, *kwargs.values()) if isinstance(a, Variable))
        where = next((device_of(t._data) for t in tensors if K.on_device(t._data)), None)
        if where is None:
            return function(*args, **kwargs)
        here = (to_device(a, CPU) if isinstance(a, Variable) else a for a in args)
        result = function(*here, **{n: to_device(a, CPU) if isinstance(a, Variable) else a for n, a in kwargs.items()})
        if isinstance(result, Variable):
            return to_device(result, where)
        back = [to_device(r, where) for r in result]
        return type(result)(*back) if hasattr(result, "_fields") else tuple(back)

    return call


def to_float(x) -> Any:
    """Integers and bools become the default floating dtype, as for torch.exp."""
    if isinstance(x, Variable) and x._data.dtype.kind not in "fV":
        return ToCopy.apply(x, dtypes.get_default_dtype().numpy)
    return x


def flags_of(function) -> dict[str, int]:
    """The parameters whose default is True or False, where torch takes nothing but a bool, with their positions."""
    plain = inspect.unwrap(function)
    code, defaults, by_keyword = plain.__code__, plain.__defaults__ or (), plain.__kwdefaults__ or {}
    first = code.co_argcount - len(defaults)
    flags = {code.co_varnames[i]: i for i, default in enumerate(defaults, first) if isinstance(default, bool)}
    return flags | {name: sys.maxsize for name, default in by_keyword.items() if isinstance(default, bool)}


def require_flags(name: str, flags: dict[str, int], args, kwargs) -> None:
    """TypeError where one of these arguments is no bool."""
    n = len(args)
    for flag, position in flags.items():
        if position < n:
            value = args[position]
        elif flag in kwargs:
            value = kwargs[flag]
        else:
            continue
        if value is not True and value is not False:
            raise TypeError(f"{name}(): argument '{flag}' must be bool, not {type_name(value)}")


def also_called(**names: str):
    """Lets a function's arguments be given by other names as well: also_called(axis="dim")."""

    def decorate(function):
        flags = flags_of(function)
        first = min(flags.values(), default=0)

        @functools.wraps(function)
        def renaming(*args, **kwargs):
            if kwargs and not names.keys().isdisjoint(kwargs):
                kwargs = {names.get(name, name): value for name, value in kwargs.items()}
            if flags and (kwargs or len(args) > first):
                require_flags(function.__name__, flags, args, kwargs)
            return function(*args, **kwargs)

        renaming.other_names = names  # type: ignore[attr-defined]
        return renaming

    return decorate


numpy_names = also_called(axis="dim", keepdims="keepdim")


def require_tensor(op: str, x, argument: str = "input", position: int = 1) -> None:
    if not isinstance(x, Variable):
        raise TypeError(f"{op}(): argument '{argument}' (position {position}) must be Tensor, not {type_name(x)}")


def require_floating(op: str, *tensors) -> None:
    """torch has no integer kernels for these ops."""
    for x in tensors:
        require_tensor(op, x)
        if x._data.dtype.kind not in "fV":
            name = dtypes.from_numpy_dtype(x._data.dtype).torch_type
            raise NotImplementedError(
                f"\"{op}\" not implemented for '{name}': it takes floating dtypes; convert with .float()"
            )


def is_number(x) -> bool:
    return isinstance(x, Number | np.number | np.bool_) and not isinstance(x, Variable)


def result_type(*operands) -> dtypes.dtype:
    """The dtype an arithmetic op on these tensors and numbers gives (torch.result_type)."""
    dimensioned, zero_dim, numbers = [], [], []
    for x in operands:
        if isinstance(x, Variable):
            (dimensioned if x._data.ndim else zero_dim).append(dtypes.from_numpy_dtype(x._data.dtype))
        else:
            numbers.append(dtypes.of_number(x))
    return dtypes.result_type_of(dimensioned, zero_dim, numbers)


_BEYOND = 2**64  # the first integer that is no number to torch


def check_number(value) -> None:
    """OverflowError for an integer that takes more than 64 bits, with or without a sign."""
    if isinstance(value, int) and not -_BEYOND // 2 <= value < _BEYOND:
        raise OverflowError("int too big to convert" if value > 0 else "can't convert negative int to unsigned")


# torch takes a number for the first operand of the arithmetic that Python's operators do, and of nothing else
_TENSOR_FIRST = {"eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"}
_TENSOR_FIRST |= {"maximum", "minimum", "fmax", "fmin", "fmod", "atan2"}


def promote(op: str, a, b) -> tuple[Any, Any]:
    """Both operands in the dtype torch computes in. Python numbers stay Python numbers: NumPy, too, lets them follow
    the array (NEP 50)."""
    if isinstance(a, Variable):
        if isinstance(b, Variable):
            if a._data.dtype is b._data.dtype:
                return a, b
            dtype = result_type(a, b).numpy
            return to_dtype(a, dtype), to_dtype(b, dtype)
        if a._data.dtype.kind in "fV" and (type(b) is float or (type(b) is int and -_BEYOND // 2 <= b < _BEYOND)):
            return a, b
        return _promote_with_number(op, a, b)
    if isinstance(b, Variable) and op not in _TENSOR_FIRST:
        if b._data.dtype.kind in "fV" and (type(a) is float or (type(a) is int and -_BEYOND // 2 <= a < _BEYOND)):
            return a, b
        second, first = _promote_with_number(op, b, a)
        return first, second
    raise TypeError(f"{op}(): argument 'input' (position 1) must be Tensor, not {type_name(a)}")


def _promote_with_number(op: str, tensor, number):
    if not is_number(number):
        raise TypeError(
            f"{op}(): argument 'other' (position 2) must be Tensor or Number, not {type_name(number)}; "
            "make it a tensor first: torch.as_tensor(...)"
        )
    if isinstance(number, np.generic):
        number = number.item()
    check_number(number)
    dtype = result_type(tensor, number)
    if dtype.category == "int" and not isinstance(number, float):
        number = int(np.array(int(number) & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(dtype.numpy))  # wraps, as C does
    return to_dtype(tensor, dtype.numpy), number


def broadcast_shapes(op: str, *shapes) -> tuple[int, ...]:
    """The common shape, or torch's error naming the last dimension that does not fit."""
    if shapes and shapes.count(shapes[0]) == len(shapes):
        return tuple(shapes[0])
    ndim = max((len(s) for s in shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        for i in range(-1, -len(shape) - 1, -1):
            if shape[i] != 1:
                if result[i] not in (1, shape[i]):
                    raise RuntimeError(
                        f"The size of tensor a ({result[i]}) must match the size of tensor b ({shape[i]}) "
                        f"at non-singleton dimension {ndim + i}"
                    )
                result[i] = shape[i]
    return tuple(result)


class Broadcasting(Elementwise):
    """An op of operands that broadcast against each other; the engine sums the gradients back to their shapes."""

    broadcasts = True

    @classmethod
    def apply(cls, *operands):
        try:
            return super().apply(*operands)
        except ValueError:  # NumPy's: operands could not be broadcast together
            broadcast_shapes(cls.__name__, *(x.shape for x in operands if hasattr(x, "shape")))
            raise


def two_floats(op, input, other):
    """Both tensors, of floating dtype, promoted."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), start=1):
        require_tensor(op, x, name, position)
    input, other = promote(op, input, other)
    broadcast_shapes(op, input._data.shape, other._data.shape)
    if input._data.dtype.kind not in "fV":
        raise NotImplementedError(
            f"\"{op}_cpu\" not implemented for '{input.dtype.torch_type}'; it takes floating dtypes"
        )
    return input, other


def fitting(value, numpy_dtype):
    """A Python number as C++ converts it to this dtype, not rounded; RuntimeError where it does not fit."""
    check_number(value)
    kind = numpy_dtype.kind
    if isinstance(value, complex):
        raise RuntimeError(
            f"value cannot be converted to type {_name_in_c(numpy_dtype)} without overflow: it is complex"
        )
    if kind == "b":
        return value != 0
    if kind in "iu":
        limits = np.iinfo(numpy_dtype)
        finite = not isinstance(value, float) or math.isfinite(value)
        lowest = -limits.max if kind == "u" and isinstance(value, int) else limits.min  # negative integers wrap
        fits = finite and lowest <= int(value) <= limits.max
        value = value if not fits else int(value) & limits.max if kind == "u" else int(value)
    else:
        fits = not math.isfinite(value) or abs(value) <= _largest(numpy_dtype)
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {_name_in_c(numpy_dtype)} without overflow")
    return value


@functools.cache
def _largest(numpy_dtype) -> float:
    """The largest finite number of a floating dtype."""
    return dtypes.finfo(dtypes.from_numpy_dtype(numpy_dtype)).max


def _name_in_c(numpy_dtype) -> str:
    """As numbers that do not fit have it: int8_t, but int."""
    is_named_by_width = numpy_dtype.kind in "iu" and numpy_dtype != np.int32
    return f"{numpy_dtype.name}_t" if is_named_by_width else dtypes.c_name(numpy_dtype)


def element(value, numpy_dtype, overflows=False) -> np.ndarray:
    """`fitting` as a 0-d array of this dtype. overflows: half precision becomes infinite, as where torch writes by an
    index."""
    if not (overflows and numpy_dtype in dtypes.LOW_PRECISION):
        value = fitting(value, numpy_dtype)
    if numpy_dtype.kind in "biu":
        return np.asarray(value, numpy_dtype)
    with np.errstate(over="ignore"):
        return K.cast(np.asarray(value, np.float64), numpy_dtype)


def fill_array(array, value, overflows=False) -> None:
    """Every element of `array` becomes the Python number `value`, converted as `element` does it."""
    number = element(value, array.dtype, overflows)
    if K.on_device(array):
        if array.dtype.kind == "V":  # the device knows the bytes of a bfloat16, not the type
            array, number = array.view(np.uint16), number.view(np.uint16)
        array.fill(number[()])
    else:
        array[...] = number
