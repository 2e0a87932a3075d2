"""Copies, dtypes, and the way out to Python and NumPy."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K
from minitorch2_kernels.dispatch import is_array, namespace

from ..core import dtypes
from ..core.device import CPU, check_available, device, device_of, moved
from ..core.function import Function
from ..core.grad_mode import state
from ..core.layout import channels_last, check_memory_format, contiguous_format
from ..core.memory_order import CHANNELS_LAST, copied, copy_in_order, copy_like, is_channels_last
from ..core.variable import Variable, type_name
from ._common import ToCopy, ToDevice, Zeros, fitting, is_number, to_device, to_dtype
from ._inplace import check_overlap, check_writable, inplace, write
from .view_ops import sum_to


class Clone(Function):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, order):
        return copy_like(x) if order == "K" else copied(x) if order == "C" else copy_in_order(x, order)

    @staticmethod
    def backward(ctx, g):
        return g, None


class Copy(Function):
    """The values of `source`, broadcast to x's shape, in x's dtype and on its device: what x.copy_(source) leaves."""

    keeps_dtype = True
    crosses = True
    torch_name = "CopyBackwards"

    @staticmethod
    def forward(ctx, x, source):
        ctx.source_shape, ctx.source_dtype, ctx.source_device = source.shape, source.dtype, device_of(source)
        return K.broadcast_to(_as(x, source), x.shape)

    @staticmethod
    def backward(ctx, g):
        need_x, need_source = ctx.needs_input_grad
        grad = sum_to(g, ctx.source_shape) if need_source else None
        if need_source and getattr(g, "_data", g).dtype != ctx.source_dtype:
            grad = ToCopy.apply(grad, ctx.source_dtype)
        if need_source and device_of(getattr(g, "_data", g)) != ctx.source_device:
            grad = ToDevice.apply(grad, ctx.source_device)
        return Zeros.apply(g) if need_x else None, grad


class Fill(Function):
    """Everywhere the number (or 0-d tensor) `value`."""

    torch_name = "FillBackward0"

    @staticmethod
    def forward(ctx, x, value):
        ctx.tensor_value = is_array(value)
        return K.full_like(x, value)

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g), sum_to(g, ()) if ctx.tensor_value else None


def _as(x, source):
    """The array `source` in x's dtype and on its device: converted where it is small, moved last or first."""
    value = source if source.dtype == x.dtype else K.cast(source, x.dtype)
    return moved(value, device_of(x))


def clone(input, *, memory_format=None):
    """A copy with its own memory; the gradient passes through. memory_format: input's order unless told."""
    check_memory_format(memory_format, input._data.ndim)
    if memory_format is channels_last:
        return Clone.apply(input, CHANNELS_LAST)
    return Clone.apply(input, "C" if memory_format is contiguous_format else "K")


def contiguous(input, memory_format=None):
    """input itself if its elements lie in row-major order (or channels_last, if that is asked for), else a copy that
    does."""
    if is_contiguous(input, memory_format):
        return input
    return clone(input, memory_format=contiguous_format if memory_format is None else memory_format)


def is_contiguous(input, memory_format=None) -> bool:
    """Whether the elements lie in row-major order without gaps, or in channels_last's."""
    if memory_format is channels_last:
        return input._data.ndim == 4 and input._data.transpose(CHANNELS_LAST).flags.c_contiguous
    check_memory_format(memory_format, input._data.ndim)
    return input._data.flags.c_contiguous


def copy_(self, other, non_blocking=False):
    """Writes other, broadcast and converted, into this tensor's memory and returns it."""
    check_writable(self)
    if is_number(other):
        other = Function.as_tensor(np.asarray(other))
    if not isinstance(other, Variable):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type_name(other)}")
    check_overlap(self, (other,))
    try:
        np.broadcast_shapes(other._data.shape, self._data.shape)
        fits = other._data.ndim <= self._data.ndim
    except ValueError:
        fits = False
    if not fits:
        if self._data.ndim < other._data.ndim:
            raise RuntimeError(
                f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(other.shape)}"
            )
        raise RuntimeError(
            f"The size of tensor a ({_last_mismatch(self._data.shape, other._data.shape)[0]}) must match the size of "
            f"tensor b ({_last_mismatch(self._data.shape, other._data.shape)[1]}) at non-singleton dimension "
            f"{_last_mismatch(self._data.shape, other._data.shape)[2]}"
        )
    if state.grad and (self.requires_grad or other.requires_grad):
        return write(self, Copy.apply(self, other), "copy")
    K.copy_to(self._data, K.broadcast_to(_as(self._data, other._data), self._data.shape))
    self._bump()
    return self


def _last_mismatch(a, b):
    for i in range(1, min(len(a), len(b)) + 1):
        if a[-i] != b[-i] and 1 not in (a[-i], b[-i]):
            return a[-i], b[-i], len(a) - i
    return len(a), len(b), 0


def fill(input, value):
    """A tensor like input with every element `value`."""
    if isinstance(value, Variable):
        if value._data.ndim:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions."
            )
        value = to_dtype(value, input._data.dtype)
    else:
        if not is_number(value):
            raise TypeError(f"fill_(): argument 'value' (position 1) must be Tensor or Number, not {type_name(value)}")
        value = fitting(value, input._data.dtype)
    return Fill.apply(input, value)


def fill_diagonal_(self, fill_value, wrap=False):
    """Writes a number on the main diagonal of this matrix (where all dims are equal, of this tensor) and returns it.

    wrap: of a matrix with more rows than columns, the diagonal begins anew after each block of columns + 1 rows.
    """
    shape = self._data.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    fitting(fill_value, self._data.dtype)
    if wrap and len(shape) == 2 and shape[1]:
        on = namespace(self._data).arange(0, math.prod(shape), shape[1] + 1)
        places = on // shape[1], on % shape[1]
    else:
        places = (namespace(self._data).arange(min(shape)),) * len(shape)
    self[tuple(map(Function.as_tensor, places))] = fill_value
    return self


def zero_(self):
    """Writes zeros into this tensor's memory and returns it."""
    return _fill_in_place(self, 0)


_fill_in_place = inplace(fill, shared_memory=True)
_fill_by_tensor = inplace(fill)


def fill_(self, value):
    """Writes one value, a number or a tensor without dims, into all of this tensor's memory and returns it."""
    return (_fill_by_tensor if isinstance(value, Variable) else _fill_in_place)(self, value)


def to(self, *args, **kwargs):
    """to(dtype), to(device), to(device, dtype), to(other): itself where nothing changes and copy=False."""
    dtype, where, copy = None, None, kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    memory_format = kwargs.pop("memory_format", None)
    check_memory_format(memory_format, self._data.ndim)
    for a in (*args, kwargs.pop("device", None), kwargs.pop("dtype", None)):
        if isinstance(a, dtypes.dtype | type):
            dtype = dtypes.as_dtype(a, "to")
        elif isinstance(a, Variable):
            dtype, where = dtypes.from_numpy_dtype(a._data.dtype), device_of(a._data)
        elif isinstance(a, bool):
            copy = copy or (a and len(args) > 2 and a is args[-1])
        elif a is not None:
            if not isinstance(a, device | str | int):
                raise TypeError(f"to() received an invalid combination of arguments - got {type(a).__name__}")
            where = check_available(a)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    result = self
    if where is not None:
        result = to_device(result, where)
    if dtype is not None:
        result = to_dtype(result, dtype.numpy)
    if memory_format in (contiguous_format, channels_last):
        if is_channels_last(result._data) != (memory_format is channels_last):
            return clone(result, memory_format=memory_format)
        result = result if result is self else contiguous(result, memory_format)
    return clone(self, memory_format=memory_format) if copy and result is self else result


def type_as(input, other):
    """input in the dtype of other."""
    return to_dtype(to_device(input, device_of(other._data)), other._data.dtype)


def _caster(dtype):
    def method(self, *, memory_format=None):
        if memory_format is not None:
            return to(self, dtype, memory_format=memory_format)
        return to_dtype(self, dtype.numpy)

    method.__name__ = dtype.name
    method.__doc__ = f"to({dtype!r})."
    return method


def cpu(self, *, memory_format=None):
    """The tensor on the CPU: itself, if it is there."""
    return to(self, CPU, memory_format=memory_format)


def cuda(self, device=None, non_blocking=False, *, memory_format=None):
    """The tensor on the GPU: itself, if it is there; RuntimeError where none can be had."""
    return to(self, "cuda" if device is None else device, memory_format=memory_format)


def item(self):
    """The one element as a Python number; RuntimeError for more than one."""
    if self._data.size != 1:
        raise RuntimeError(f"a Tensor with {self._data.size} elements cannot be converted to Scalar")
    data = self._data if self._data.dtype.kind != "V" else K.widen(self._data)
    return data.reshape(()).item()


def tolist(self):
    """Nested lists of Python numbers; a number for a 0-d tensor."""
    return (self._data if self._data.dtype.kind != "V" else K.widen(self._data)).tolist()


def numpy(self, *, force=False):
    """The array itself, sharing memory. A tensor that requires grad must be detached first (force=True does so), but
    where no gradients are recorded."""
    if self.requires_grad and state.grad and not force:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.device != CPU:
        if not force:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first."
            )
        self = self.detach().cpu()
    if self._data.dtype.kind == "V":
        raise TypeError("Got unsupported ScalarType BFloat16: NumPy has none; convert with .float() first")
    return self._data.view()


def __array__(self, dtype=None, copy=None):
    """np.asarray(tensor): the memory itself where dtype and copy allow."""
    array = numpy(self)
    if dtype is not None and np.dtype(dtype) != array.dtype:
        if copy is False:
            raise ValueError(f"cannot give {array.dtype} data as {np.dtype(dtype)} without copying")
        return array.astype(dtype)
    return array.copy() if copy else array


def __array_wrap__(self, array, context=None, return_scalar=False):
    """What NumPy's functions make of a tensor is a tensor again; masks are uint8, as torch gives them."""
    array = np.asarray(array)
    return Function.as_tensor(array.astype(np.uint8) if array.dtype == np.bool_ else array)


def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """The array as a DLPack capsule, sharing memory."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if self._data.dtype.kind == "V":
        raise BufferError("NumPy cannot export bfloat16 through DLPack; convert with .float() first")
    given = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
    given = {name: value for name, value in given.items() if value is not None}  # NumPy 2.0 knows none of the three
    return self._data.__dlpack__(stream=stream, **given)


def __dlpack_device__(self):
    return self._data.__dlpack_device__()


def detach(self):
    """The same memory outside the graph. Writes through it are seen by the version counter."""
    result = Function.as_tensor(self._data.view())
    result._counter = self._counter
    result._inference = self._inference
    return result


def detach_(self):
    """Takes this tensor out of the graph."""
    if self._base is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
        )
    self._grad_fn, self._output_nr, self._requires_grad = None, 0, False
    return self


class ConversionMethods:
    clone, contiguous, is_contiguous, copy_, fill_, zero_ = (
        clone,
        contiguous,
        is_contiguous,
        copy_,
        fill_,
        zero_,
    )
    fill_diagonal_ = fill_diagonal_
    to, type_as, cpu, cuda, item, tolist, numpy = to, type_as, cpu, cuda, item, tolist, numpy
    detach, detach_ = detach, detach_
    __array__, __array_wrap__ = __array__, __array_wrap__
    __dlpack__, __dlpack_device__ = __dlpack__, __dlpack_device__
    float, double, half = _caster(dtypes.float32), _caster(dtypes.float64), _caster(dtypes.float16)
    bfloat16, byte, char = _caster(dtypes.bfloat16), _caster(dtypes.uint8), _caster(dtypes.int8)
    short, int, long, bool = (_caster(d) for d in (dtypes.int16, dtypes.int32, dtypes.int64, dtypes.bool))
