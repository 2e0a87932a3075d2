"""Making tensors: from data, from sizes, from ranges, like others."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

import minitorch2_kernels as K

from .core import dtypes, memory_order
from .core.device import check_available, device_of, module_on, moved
from .core.layout import channels_last, check_layout, check_memory_format, check_pin_memory, contiguous_format
from .core.memory_order import CHANNELS_LAST
from .core.size import checked_numel
from .ops._arguments import one_number
from .ops._common import fill_array, fitting, is_number, require_tensor, to_device, to_dtype
from .ops._data import RANGE_DEPRECATED, array_of, cast_quietly, check_memory_of, warn_of_read_only
from .ops._index import type_name
from .ops._out import makes_into
from .ops.storages import UntypedStorage
from .tensor import Tensor

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "empty_permuted",
    "eye",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "range",
    "scalar_tensor",
    "tensor",
    "zeros",
    "zeros_like",
]


def _finish(array, requires_grad, pin_memory=False) -> Tensor:
    check_pin_memory(pin_memory)
    result = Tensor._wrap(array)
    if requires_grad and not result.dtype.is_floating_point:  # the setter's own words begin with a small letter
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return result._requiring(requires_grad) if requires_grad else result


def _sizes(sizes, size=None) -> tuple[int, ...]:
    """The shape in the arguments (2, 3), ((2, 3),) or size=(2, 3)."""
    if size is None:
        if not sizes:
            raise TypeError("missing 1 required positional argument: 'size'; () makes a tensor of no dims")
        size = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes
    shape = []
    for given in size:
        n: Any = None if isinstance(given, bool) else given  # a bool is an int, but no size
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"sizes must be ints, got {type(given).__name__} in {tuple(size)}") from None
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
        shape.append(n)
    return checked_numel(shape)


def _numpy_dtype(dtype, layout=None):
    check_layout(layout)
    return (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype, "empty")).numpy


def _where(dtype, device, layout=None):
    """(the module that makes arrays on the device, the NumPy dtype) of these arguments."""
    return module_on(check_available(device)), _numpy_dtype(dtype, layout)


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False) -> Tensor:
    """A tensor that owns a copy of `data`: a number, nested lists, an array. Floats become the default dtype."""
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            stacklevel=2,
        )
    where = check_available(device) if device is not None or not isinstance(data, Tensor) else data.device
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype, "tensor")
    return _finish(moved(array_of(data, dtype), where), requires_grad, pin_memory)


def as_tensor(data, dtype=None, device=None) -> Tensor:
    """A tensor of `data`, sharing memory with arrays and tensors where dtype allows."""
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype, "as_tensor")
    if isinstance(data, Tensor | np.ndarray):
        shared = data if isinstance(data, Tensor) else from_numpy(data)
        if device is not None or not isinstance(data, Tensor):
            shared = to_device(shared, check_available(device))
        return shared if dtype is None else to_dtype(shared, dtype.numpy)
    return tensor(data, dtype=dtype, device=device)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=None) -> Tensor:
    """as_tensor, with copy=True to own the memory and copy=False to insist on sharing. requires_grad: as obj unless
    told; False takes what has a history out of the graph."""
    if isinstance(obj, UntypedStorage):
        obj = obj.bytes().view((dtype or dtypes.get_default_dtype()).numpy)
    elif isinstance(obj, bytes | bytearray | memoryview):
        obj = np.frombuffer(obj, (dtype or dtypes.get_default_dtype()).numpy)
    shared = as_tensor(obj, dtype, device)
    if copy:
        shared = shared.clone()
    elif copy is False and not _same_memory(getattr(obj, "_data", obj), shared._data):
        raise ValueError("can't alias arbitrary sequence into a tensor: copy=False was asked for")
    if requires_grad is None or requires_grad == shared.requires_grad:
        return shared
    return shared.detach() if shared.grad_fn is not None else shared._requiring(requires_grad)


def _same_memory(given, array) -> bool:
    if K.on_device(array):
        return K.on_device(given) and K.may_share_memory(given, array)
    return np.may_share_memory(np.asarray(given), array)


def from_numpy(ndarray) -> Tensor:
    """A tensor that shares memory with the array. TypeError for dtypes without a counterpart."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type_name(ndarray)})")
    check_memory_of(ndarray)
    dtypes.from_numpy_dtype(ndarray.dtype)
    warn_of_read_only(ndarray, "NumPy array", "array")
    return Tensor._wrap(ndarray.view(np.ndarray))._on_lent_memory()  # a matrix multiplies where an array does not


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False) -> Tensor:
    """A 1-d tensor over the memory of an object with the buffer protocol."""
    if not len(memoryview(buffer)) or not count:
        raise ValueError(f"both buffer length ({len(memoryview(buffer))}) and count ({count}) must not be 0")
    array = np.frombuffer(buffer, dtype.numpy, count, offset)
    warn_of_read_only(array, "buffer", "buffer")
    return Tensor._wrap(array)._on_lent_memory()._requiring(requires_grad)


_DLPACK_CPU, _DLPACK_CUDA = 1, 2  # kDLCPU, kDLCUDA: DLPack's numbers for kinds of memory


class _Capsule:
    """What an object's __dlpack__() gave, as an object; NumPy takes no bare ones."""

    def __init__(self, capsule):
        if type(capsule).__name__ != "PyCapsule" or '"dltensor"' not in repr(capsule):
            raise RuntimeError(
                "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so "
                "you might have already constructed a tensor from it once."
            )
        self.capsule = capsule

    def __dlpack__(self, **_):
        return self.capsule

    def __dlpack_device__(self):
        return _DLPACK_CPU, 0


def from_dlpack(ext_tensor, *, device=None, copy=None) -> Tensor:
    """A tensor that shares memory with any object that speaks DLPack, or with what its __dlpack__() gave; a copy where
    the device asked for is another, or copy=True."""
    if not hasattr(ext_tensor, "__dlpack__"):
        if device is not None or copy is not None:
            raise AssertionError("device and copy kwargs not supported when ext_tensor is already a DLPack capsule.")
        ext_tensor = _Capsule(ext_tensor)
    if ext_tensor.__dlpack_device__()[0] == _DLPACK_CUDA:
        shared = Tensor._wrap(module_on(check_available("cuda")).from_dlpack(ext_tensor))
    else:
        shared = from_numpy(np.from_dlpack(ext_tensor))
    where = shared.device if device is None else check_available(device)
    if copy is False and where != shared.device:
        raise ValueError(
            f"cannot move DLPack tensor from device {shared.device} to {where} without copying. Set copy=None or "
            "copy=True."
        )
    return shared.clone() if copy and where == shared.device else to_device(shared, where)


def empty(
    *sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, memory_format=None
) -> Tensor:
    """Uninitialised, in row-major order unless memory_format is channels_last."""
    (xp, numpy_dtype), shape = _where(dtype, device, layout), _sizes(sizes, size)
    check_memory_format(memory_format, len(shape))
    last = memory_format is channels_last
    array = memory_order.empty_in_order(xp, shape, CHANNELS_LAST, numpy_dtype) if last else xp.empty(shape, numpy_dtype)
    return _finish(array, requires_grad, pin_memory)


def empty_permuted(
    size, physical_layout, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
) -> Tensor:
    """Uninitialised, without gaps, its dims in memory in the order of physical_layout, the slowest first."""
    (xp, numpy_dtype), shape = _where(dtype, device, layout), _sizes((size,))
    if len(shape) != len(physical_layout):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(shape)} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    for i, dim in enumerate(physical_layout):
        if not 0 <= dim < len(shape):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {dim} at index {i})."
            )
    if len(set(physical_layout)) < len(shape):
        raise RuntimeError("Duplicate dim not allowed")
    return _finish(memory_order.empty_in_order(xp, shape, physical_layout, numpy_dtype), requires_grad, pin_memory)


def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False) -> Tensor:
    """All 0."""
    xp, numpy_dtype = _where(dtype, device, layout)
    return _finish(xp.zeros(_sizes(sizes, size), numpy_dtype), requires_grad, pin_memory)


def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False) -> Tensor:
    """All 1."""
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return full(
        _sizes(sizes, size),
        1,
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
        layout=layout,
        pin_memory=pin_memory,
    )


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False) -> Tensor:
    """All `fill_value`, in the dtype inferred from it unless told."""
    if isinstance(fill_value, Tensor):
        dtype, fill_value = dtype or fill_value.dtype, one_number("full", "fill_value", fill_value)
    if not isinstance(size, tuple | list):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    if dtype is None:
        dtype = dtypes.of_number(fill_value)
    xp, numpy_dtype = _where(dtype, device, layout)
    array = xp.empty(_sizes((), size), numpy_dtype)
    fill_array(array, fill_value)
    return _finish(array, requires_grad, pin_memory)


def _like(name, input, value, dtype, layout, device, requires_grad, memory_format, pin_memory):
    """`value` everywhere, or nothing written where it is None."""
    require_tensor(name, input)
    check_memory_format(memory_format, input._data.ndim)
    numpy_dtype = _numpy_dtype(input.dtype if dtype is None else dtype, layout)
    where = device_of(input._data) if device is None else check_available(device)
    if memory_format is channels_last:
        array = memory_order.empty_in_order(module_on(where), input._data.shape, CHANNELS_LAST, numpy_dtype)
    elif where == device_of(input._data) and memory_format is not contiguous_format:  # input's order
        array = memory_order.empty_like(input._data, numpy_dtype)
    else:
        array = module_on(where).empty(input._data.shape, numpy_dtype)
    if value is not None:
        fill_array(array, value)
    return _finish(array, requires_grad, pin_memory)


def empty_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, pin_memory=False
) -> Tensor:
    """An uninitialised tensor with the shape, dtype and strides of `input` unless told."""
    return _like("empty_like", input, None, dtype, layout, device, requires_grad, memory_format, pin_memory)


def zeros_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, pin_memory=False
) -> Tensor:
    """Zeros with the shape, dtype and strides of `input` unless told."""
    return _like("zeros_like", input, 0, dtype, layout, device, requires_grad, memory_format, pin_memory)


def ones_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, pin_memory=False
) -> Tensor:
    """Ones with the shape, dtype and strides of `input` unless told."""
    return _like("ones_like", input, 1, dtype, layout, device, requires_grad, memory_format, pin_memory)


def full_like(
    input,
    fill_value,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
    pin_memory=False,
) -> Tensor:
    """One value everywhere, with the shape, dtype and strides of `input` unless told."""
    fill_value = one_number("full_like", "fill_value", fill_value)
    return _like("full_like", input, fill_value, dtype, layout, device, requires_grad, memory_format, pin_memory)


def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    layout=None,
    pin_memory=False,
) -> Tensor:
    """start, start + step, ... below end. int64 if all three are integers, else the default dtype."""
    if end is None or start is None:
        start, end = 0, start if end is None else end
    numbers = []
    for argument, given in (("start", start), ("end", end), ("step", step)):
        numbers.append(one_number("arange", argument, given))
        if not is_number(numbers[-1]):
            raise TypeError(f"arange(): argument '{argument}' must be Number, not {type(given).__name__}")
    start, end, step = numbers
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not all(map(math.isfinite, (start, end))):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None:
        integers = all(isinstance(x, int | np.integer) for x in (start, end, step))
        dtype = dtypes.int64 if integers else dtypes.get_default_dtype()
    dtype = dtypes.as_dtype(dtype, "arange")
    if dtype is dtypes.bool:
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
    xp, numpy_dtype = _where(dtype, device, layout)
    if dtype is dtypes.int64:
        start, end, step = (fitting(x, numpy_dtype) for x in (start, end, step))
        if step == 0:
            raise ValueError("step must be nonzero")
    count = math.ceil((end - start) / step)
    if dtype.is_floating_point:  # start + i * step in double, rounded once
        array = cast_quietly(start + xp.arange(count, dtype=np.float64) * step, numpy_dtype)
    else:
        start, step = (fitting(x, np.dtype(np.int64)) for x in (start, step))
        array = (start + xp.arange(count, dtype=np.int64) * step).astype(numpy_dtype)
    return _finish(array, requires_grad, pin_memory)


def range(
    start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
) -> Tensor:
    """start, start + step, ... up to end, which belongs to it; the default dtype unless told. torch advises arange."""
    if end is None:
        raise TypeError("range() missing 1 required positional argument: 'end'")
    warnings.warn(RANGE_DEPRECATED, UserWarning, stacklevel=2)
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return arange(
        start,
        end + (step if (end - start) % step == 0 else 0),
        step,
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
        layout=layout,
        pin_memory=pin_memory,
    )


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False) -> Tensor:
    """A 0-d tensor of a number, in the default dtype unless told."""
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return full((), s, dtype=dtype, device=device, requires_grad=requires_grad, layout=layout, pin_memory=pin_memory)


def linspace(
    start, end, steps, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
) -> Tensor:
    """`steps` equally spaced numbers from start to end, both included."""
    xp, numpy_dtype = _where(dtype, device, layout)
    start, end, steps = _ends("linspace", start, end, steps)
    if np.dtype(numpy_dtype).kind == "b":
        raise NotImplementedError("\"linspace_cpu\" not implemented for 'Bool'")
    start, end = (fitting(x, np.dtype(numpy_dtype)) for x in (start, end))  # of an integer dtype the ends are, too
    compute = np.float64 if np.dtype(numpy_dtype) == np.float64 or np.dtype(numpy_dtype).kind in "iu" else np.float32
    step = compute((end - start) / (steps - 1)) if steps > 1 else compute(0)
    i = xp.arange(steps)
    # from both ends, as torch: the two halves are symmetric and the last number is `end` exactly
    ascending = compute(start) + step * i.astype(compute)
    descending = compute(end) - step * (steps - 1 - i).astype(compute)
    array = K.where(i < steps // 2, ascending, descending) if steps > 1 else ascending
    return _finish(K.cast(array, numpy_dtype), requires_grad, pin_memory)


def logspace(
    start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
) -> Tensor:
    """base ** linspace(start, end, steps)."""
    start, end, steps = _ends("logspace", start, end, steps)
    numpy_dtype = _numpy_dtype(dtype, layout)
    if np.dtype(numpy_dtype).kind in "iu" and steps > 1:  # torch's exception: a single number keeps its exponent
        start, end = int(start), int(end)
    elif np.dtype(numpy_dtype).kind == "b":
        raise NotImplementedError("\"logspace_cpu\" not implemented for 'Bool'")
    exponents = linspace(start, end, steps, dtype=dtypes.float64, device=device)._data
    return _finish(cast_quietly(K.power(float(base), exponents), numpy_dtype), requires_grad, pin_memory)


def _ends(op, start, end, steps):
    """start, end and steps as numbers, the arguments of linspace and logspace checked."""
    if isinstance(steps, Tensor) and not steps._data.ndim and steps._data.dtype.kind in "iu":
        steps = steps.item()
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        kinds = ", ".join("Tensor" if isinstance(x, Tensor) else type(x).__name__ for x in (start, end, steps))
        raise TypeError(f"{op}() received an invalid combination of arguments - got ({kinds}): steps must be int")
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    for name, x in (("start", start), ("end", end)):
        if isinstance(x, Tensor) and x._data.ndim:
            raise RuntimeError(
                f"{op} only supports 0-dimensional start and end tensors, but got {name} with {x._data.ndim} "
                "dimension(s)."
            )
    return *(x.item() if isinstance(x, Tensor) else x for x in (start, end)), steps


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False) -> Tensor:
    """Ones on the diagonal of an n x m (n x n) matrix, zeros elsewhere."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    xp, numpy_dtype = _where(dtype, device, layout)
    array = xp.eye(n, m, dtype=np.float32)
    return _finish(array if array.dtype == numpy_dtype else K.cast(array, numpy_dtype), requires_grad, pin_memory)


for _name in ("arange", "empty", "eye", "full", "linspace", "logspace", "ones", "range", "zeros"):
    globals()[_name] = makes_into(globals()[_name])
