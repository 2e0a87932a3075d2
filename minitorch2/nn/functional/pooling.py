"""Pooling over windows: the arguments, read as torch reads them. One dimension is a row of two."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import listed
from ...core.device import like
from ...core.dtypes import float32
from ...core.function import Function
from ...ops._common import remembered, require_tensor, within, wrap_dim
from ...ops._images import follows_format
from ...ops.arithmetic import div
from ...ops.conv import Sizes
from ...ops.pad import pad_constant
from ...ops.pooling import AvgPool2d, MaxPool2d
from ...ops.reduce import PutAlong
from ...ops.unary import relu


def pooled_size(n, kernel, stride, padding, dilation, ceil_mode) -> int:
    """How many windows fit along n elements; with ceil_mode one more, unless it starts in the right padding."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= n + padding:
        count -= 1
    return count


def sizes(op, dims, name, value) -> tuple[int, ...]:
    """An argument of a pooling op as one int per dim."""
    values = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        values *= dims
    if len(values) != dims:
        one = "an int, or a tuple of one int"
        many = one if dims == 1 else f"a single int, or a tuple of {'two' if dims == 2 else 'three'} ints"
        raise RuntimeError(f"{op}: {name} must either be {many}, but got {value}")
    return tuple(map(operator.index, values))


@remembered
def windows(op, dims, shape, kernel_size, stride, padding, dilation, ceil_mode):
    """((kernel, stride, padding, dilation), output size) of an input of this shape, checked; pairs for one dim, too."""
    kernel = sizes(op, dims, "kernel_size", kernel_size)
    stride = kernel if stride in (None, (), []) else sizes(op, dims, "stride", stride)
    padding, dilation = sizes(op, dims, "padding", padding), sizes(op, dims, "dilation", dilation)
    if op == "max_pool1d":
        _check_row(kernel[0], stride[0], padding[0], dilation[0])
    if 0 in stride:
        raise RuntimeError(f"stride should not be zero: {op}() got kernel_size={kernel_size}, stride={stride}")
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero: {op}() got kernel_size={kernel_size}")
    if min(stride) < 0:
        raise RuntimeError(f"stride should be greater than zero: {op}() got stride={stride}")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got dilation={dilation} in {op}()")
    for k, p in zip(kernel, padding, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > k // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation=1"
            )
    if len(shape) not in (dims + 1, dims + 2) or 0 in shape[-dims - 1 :]:
        raise RuntimeError(
            f"{op}: Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, "
            f"but got:{list(shape)}"
        )
    hw = shape[-dims:]
    if dims == 1:
        hw, kernel, stride, padding, dilation = (1, *hw), (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
    settings = kernel, stride, padding, dilation
    out = tuple(pooled_size(n, *each, ceil_mode=ceil_mode) for n, *each in zip(hw, *settings, strict=True))
    if op == "max_pool1d" and out[1] <= 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {out[1]}")
    if min(out) <= 0:
        channels = shape[-dims - 1]
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, (channels, *hw)))}). Calculated output size: "
            f"({'x'.join(map(str, (channels, *out)))}). Output size is too small"
        )
    return settings, out


def _check_row(kernel, stride, padding, dilation):
    """What torch's max_pool1d says in words of its own, where no indices are asked for."""
    for name, value in (("kernel_size", kernel), ("stride", stride)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={padding} and "
            f"kernel_size={kernel}"
        )
    if dilation <= 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")


def _as_images(input, dims):
    """The input as (N, C, H, W), and whether it came without a batch."""
    unbatched = input._data.ndim == dims + 1
    x = input.unsqueeze(0) if unbatched else input
    return x.unsqueeze(2) if dims == 1 else x, unbatched


def _shaped_back(y, dims, unbatched):
    y = y.squeeze(2) if dims == 1 else y
    return y.squeeze(0) if unbatched else y


def _max_pool(op, dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    require_tensor(op, input)
    if input._data.dtype.kind == "b":
        raise NotImplementedError(f"\"{op}\" not implemented for 'Bool'; convert with .float()")
    asked = f"{op}_with_indices" if return_indices else op
    settings, out = windows(asked, dims, input._data.shape, kernel_size, stride, padding, dilation, ceil_mode)
    x, unbatched = _as_images(input, dims)
    if not return_indices:
        return _shaped_back(MaxPool2d.apply(x, settings, out, False), dims, unbatched)
    y, winner = MaxPool2d.apply(x, settings, out, True)
    y = _shaped_back(y, dims, unbatched)
    indices = Function.as_tensor(K.winner_indices(winner._data, x._data.shape[2:], *settings))
    return y, _shaped_back(indices, dims, unbatched)


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest of each window of input (N, C, L) or (C, L); otherwise as max_pool2d."""
    if input._data.dtype.kind in "biu":
        raise NotImplementedError(
            f"\"max_pool1d_impl\" not implemented for '{input.dtype.torch_type}'; convert with .float()"
        )
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@follows_format
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest of each window of input (N, C, H, W) or (C, H, W); stride defaults to kernel_size.

    return_indices: also where it stood in the flattened (H, W) plane, int64. NaN wins; of equals, the first.
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool1d(..., return_indices=True)"""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool2d(..., return_indices=True)"""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def _avg_pool(op, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    require_tensor(op, input)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    if input._data.dtype.kind not in "fV" and input._data.dtype != K.int64:
        raise NotImplementedError(f"\"{op}\" not implemented for '{input.dtype.torch_type}'; convert with .float()")
    settings, out = windows(op, dims, input._data.shape, kernel_size, stride, padding, 1, ceil_mode)
    x, unbatched = _as_images(input, dims)
    divisor = window_counts(x._data, settings, out, count_include_pad) if divisor_override is None else divisor_override
    if input._data.dtype == K.int64:
        return _shaped_back(average_of_integers(x, divisor, settings, out), dims, unbatched)
    return _shaped_back(AvgPool2d.apply(x, divisor, settings[:3], out), dims, unbatched)


def average_of_integers(x, divisor, settings, out):
    """avg_pool of x (N, C, d1, ...): the sums of the windows divided as C divides, towards zero."""
    kernel, stride, before, _ = settings
    sizes, extents = x._data.shape[2:], ((o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True))
    after = (e - p - n for e, p, n in zip(extents, before, sizes, strict=True))  # negative: elements in no window
    x = pad_constant(x, (0, 0, *before), (0, 0, *after), 0)
    for dim, (k, s) in enumerate(zip(kernel, stride, strict=True), start=2):
        x = x.unfold(dim, k, s)
    total = x.sum([-d for d in range(1, len(out) + 1)])
    divisor = divisor if isinstance(divisor, int) else Function.as_tensor(divisor.reshape(out))
    return div(total, divisor, rounding_mode="trunc")


def window_counts(x, settings, out, count_padding):
    """How many elements each window of x (N, C, d1, ...) counts: a number where all count as many, else an array, the
    first dim of `out` by the others flattened, of the dtype that the windows are summed in."""

    def counted(xp):
        sizes = (
            _window_sizes(xp, n, kernel, stride, padding, o, count_padding)
            for n, kernel, stride, padding, o in zip(x.shape[2:], *settings[:3], out, strict=True)
        )
        return functools.reduce(lambda a, b: a[..., None] * b, sizes)

    counts = counted(np)
    if counts.min() == counts.max():
        return int(counts.reshape(-1)[0])
    if K.on_device(x):  # once more, there: a graph under capture copies nothing to the GPU
        counts = counted(K.namespace(x))
    return like(counts.reshape(out[0], -1).astype(x.dtype if x.itemsize > 2 else float32.numpy), x)


def _window_sizes(xp, n, kernel, stride, padding, out, count_padding):
    """How many elements each window counts along one dim."""
    start = xp.arange(out) * stride - padding
    stop = K.minimum(start + kernel, n + padding)
    return stop - start if count_padding else K.minimum(stop, n) - K.maximum(start, 0)


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of input (N, C, L) or (C, L); otherwise as avg_pool2d."""
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@follows_format
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The mean of each window of input (N, C, H, W) or (C, H, W); stride defaults to kernel_size.

    count_include_pad: zeros of the padding count as elements. divisor_override: divide the sum by this instead.
    """
    require_tensor("avg_pool2d", input)
    wrap_dim(-3, input._data.ndim)  # torch looks for the channels before it counts the dims
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def unpool(op, dims, input, indices, kernel_size, stride, padding, output_size):
    """max_unpool in `dims` dims."""
    kernel = sizes(op, dims, "kernel_size", kernel_size)
    stride = kernel if stride is None else sizes(op, dims, "stride", stride)
    padding = sizes(op, dims, "padding", padding)
    shape = input._data.shape
    if indices._data.dtype != K.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype.torch_type}")
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Input to {op} should be a {dims + 1}d or {dims + 2}d Tensor, but got a tensor with {len(shape)} dims"
        )
    if indices._data.shape != shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(shape)}) but got indices tensor "
            f"with shape: {list(indices._data.shape)}"
        )
    out = _unpooled_sizes(shape[-dims:], kernel, stride, padding, output_size)
    plane = math.prod(out)
    where = indices._data
    if not within(where, plane):
        wrong = where[(where < 0) | (where >= plane)].reshape(-1)[0]
        raise RuntimeError(
            f"Found an invalid max index: {wrong} (output volumes are of size {'x'.join(map(str, out))})"
        )
    flat = shape[:-dims]
    n = math.prod(shape[-dims:])
    y = PutAlong.apply(input.reshape(*flat, n), where.reshape(*flat, n), (*flat, plane), len(flat))
    return y.reshape(*flat, *out)


def _unpooled_sizes(hw, kernel, stride, padding, output_size):
    default = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(hw, kernel, stride, padding, strict=True)]
    if output_size is None:
        return default
    output_size, dims = tuple(output_size), len(hw)
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of "
            f"'{len(output_size)}'"
        )
    for d, (size, usual, s) in enumerate(zip(output_size, default, stride, strict=True)):
        if not usual - s < size < usual + s:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {d} must be between {usual - s} and {usual + s})'
            )
    return list(output_size)


def max_unpool1d(input, indices, kernel_size, stride=None, padding: Sizes = 0, output_size=None):
    """input (N, C, L) or (C, L) put back to where max_pool1d found it (`indices`), zeros elsewhere."""
    return unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@follows_format
def max_unpool2d(input, indices, kernel_size, stride=None, padding: Sizes = 0, output_size=None):
    """input (N, C, H, W) or (C, H, W) put back to where max_pool2d found it (`indices`), zeros elsewhere."""
    return unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def power_pool(dims, max_pool: Any, avg_pool: Any, input, norm_type, kernel_size, stride, ceil_mode) -> Any:
    """lp_pool in `dims` dims, made of the other two."""
    kernel = sizes(f"lp_pool{dims}d", dims, "kernel_size", kernel_size)
    if norm_type == math.inf:
        return max_pool(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -math.inf:
        return -max_pool(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    mean = avg_pool(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    # relu has no gradient at 0, where that of the root is infinite
    return (mean.detach().sign() * relu(mean.abs())).mul(math.prod(kernel)).pow(1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x ^ norm_type) ^ (1 / norm_type) over each window of input (N, C, L) or (C, L); inf: the largest |x|."""
    return power_pool(1, max_pool1d, avg_pool1d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """lp_pool1d over each window of input (N, C, H, W) or (C, H, W)."""
    return power_pool(2, max_pool2d, avg_pool2d, input, norm_type, kernel_size, stride, ceil_mode)


listed(globals())

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "lp_pool1d",
    "lp_pool2d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
]
