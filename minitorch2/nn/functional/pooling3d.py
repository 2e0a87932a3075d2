"""Pooling in 3-d: the 2-d op over every plane, and over what comes of it the 2-d op along depth.

(N, C, D, H, W) is read as (N, C * D, H, W) first, and the result (N, C, D, OH, OW) as images of D rows and OH * OW
columns then. A window's largest element, and its sum, are those of its planes' largest elements and sums.
"""

from __future__ import annotations

import math
from typing import Any

import minitorch2_kernels as K

from ...core.autocast import listed
from ...core.function import Function
from ...ops._common import require_floating, require_tensor
from ...ops._half import once_in_half
from ...ops.adaptive_pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from ...ops.conv import Sizes
from ...ops.pooling import AvgPool2d, MaxPool2d
from .adaptive_pooling import even_windows, output_sizes
from .pooling import average_of_integers, power_pool, sizes, unpool, window_counts, windows


def _volumes(input):
    """The input as (N, C, D, H, W), and whether it came without a batch."""
    return (input.unsqueeze(0), True) if input._data.ndim == 4 else (input, False)


def _planes(shape):
    """The shape (N, C, D, H, W) as that of images (N, C * D, H, W)."""
    n, c, d, *hw = shape
    return n, c * d, *hw


def _columns(shape):
    """The shape (N, C, D, H, W) as that of images (N, C, D, H * W)."""
    n, c, d, h, w = shape
    return n, c, d, h * w


def _along_depth(kernel, stride, padding, dilation):
    """What a window of three dims is along depth, for images (N, C, D, H * W)."""
    return (kernel[0], 1), (stride[0], 1), (padding[0], 0), (dilation[0], 1)


def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """The largest of each window of input (N, C, D, H, W) or (C, D, H, W); stride defaults to kernel_size.

    return_indices: also where it stood in the flattened (D, H, W) volume, int64. NaN wins; of equals, the first.
    RuntimeError for windows that do not fit, NotImplementedError for bools.
    """
    require_tensor("max_pool3d", input)
    if input._data.dtype.kind == "b":
        raise NotImplementedError("\"max_pool3d\" not implemented for 'Bool'; convert with .float()")
    arguments = kernel_size, stride, padding, dilation, ceil_mode
    settings, out = windows("max_pool3d", 3, input._data.shape, *arguments)
    x, unbatched = _volumes(input)
    flat, deep = tuple(each[1:] for each in settings), _along_depth(*settings)
    between = *x._data.shape[:3], *out[1:]
    rows = out[0], math.prod(out[1:])
    y, in_plane = MaxPool2d.apply(x.reshape(_planes(x._data.shape)), flat, out[1:], True)
    y, in_depth = MaxPool2d.apply(y.reshape(_columns(between)), deep, rows, True)
    y = y.reshape(*between[:2], *out)
    if return_indices:
        hw = x._data.shape[3:]
        place = K.winner_indices(in_depth._data, (between[2], rows[1]), *deep).reshape(y._data.shape)
        plane = K.winner_indices(in_plane._data, hw, *flat).reshape(between)
        where = Function.as_tensor(_in_volume(place // rows[1], plane, math.prod(hw)))
        return (y.squeeze(0), where.squeeze(0)) if unbatched else (y, where)
    return y.squeeze(0) if unbatched else y


def _in_volume(depth, plane, size):
    """depth (N, C, OD, OH, OW): of which plane the largest element is; plane (N, C, D, OH, OW): where it stands in
    each, of `size` elements. Where it stands in the volume."""
    return depth * size + K.take_along_axis(plane, depth, axis=2)


def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool3d(..., return_indices=True)"""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> Any:
    """The mean of each window of input (N, C, D, H, W) or (C, D, H, W); stride defaults to kernel_size.

    count_include_pad: zeros of the padding count as elements. divisor_override: divide the sum by this instead.
    RuntimeError for windows that do not fit and a divisor of 0, NotImplementedError for integers
    other than int64.
    """
    require_tensor("avg_pool3d", input)
    if input._data.dtype != K.int64:
        require_floating("avg_pool3d", input)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    settings, out = windows("avg_pool3d", 3, input._data.shape, kernel_size, stride, padding, 1, ceil_mode)
    x, unbatched = _volumes(input)
    if x._data.dtype == K.int64:
        counts = window_counts(x._data, settings, out, count_include_pad)
        y = average_of_integers(x, counts if divisor_override is None else divisor_override, settings, out)
        return y.squeeze(0) if unbatched else y
    x = x.float() if x._data.itemsize == 2 else x  # rounded once, not after each of the two
    divisor = window_counts(x._data, settings, out, count_include_pad) if divisor_override is None else divisor_override
    between = *x._data.shape[:3], *out[1:]
    rows = out[0], math.prod(out[1:])
    y = AvgPool2d.apply(x.reshape(_planes(x._data.shape)), 1, tuple(each[1:] for each in settings[:3]), out[1:])
    y = AvgPool2d.apply(y.reshape(_columns(between)), divisor, _along_depth(*settings)[:3], rows)
    y = Function.to_dtype(y.reshape(*between[:2], *out), input._data.dtype)
    return y.squeeze(0) if unbatched else y


def max_unpool3d(input, indices, kernel_size, stride=None, padding: Sizes = 0, output_size=None):
    """input (N, C, D, H, W) or (C, D, H, W) put back to where max_pool3d found it (`indices`), zeros elsewhere.

    RuntimeError for indices of another shape or dtype, and outside of the output; ValueError for an output_size that
    does not belong to the input.
    """
    require_floating("max_unpool3d", input)
    if stride is not None and min(stride := sizes("max_unpool3d", 3, "stride", stride)) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    if 0 in input._data.shape[1:]:
        raise RuntimeError(
            "max_unpool3d: Expected input to have non-zero size for non-batch dimensions, but got "
            f"{list(input._data.shape)}"
        )
    return unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """lp_pool1d over each window of input (N, C, D, H, W) or (C, D, H, W)."""
    return power_pool(3, max_pool3d, avg_pool3d, input, norm_type, kernel_size, stride, ceil_mode)


@once_in_half
def adaptive_avg_pool3d(input, output_size):
    """The means of output_size windows (an int or three; None keeps a size) over (N, C, D, H, W) or (C, D, H, W).

    RuntimeError for an output_size of another length or below 0, and for an input that is empty but for its batch.
    """
    out = output_sizes("adaptive_avg_pool3d", 3, input, output_size, one_is_mean=True)
    if out == (1, 1, 1):
        return input.mean((-1, -2, -3), keepdim=True)
    require_floating("adaptive_avg_pool3d", input)
    kernel = even_windows(input, out)
    if kernel:
        return avg_pool3d(input, kernel)
    y = AdaptiveAvgPool2d.apply(input, out[1:])
    *batch, d, oh, ow = y._data.shape
    return AdaptiveAvgPool2d.apply(y.reshape(*batch, d, oh * ow), (out[0], oh * ow)).reshape(*batch, *out)


def adaptive_max_pool3d(input, output_size, return_indices=False) -> Any:
    """The largest elements of output_size windows (an int or three; None keeps a size) that cover input (N, C, D, H, W)
    or (C, D, H, W). return_indices: also where they stood in the flattened (D, H, W) volume, int64.

    RuntimeError as for adaptive_avg_pool3d; NotImplementedError for integers.
    """
    out = output_sizes("adaptive_max_pool3d", 3, input, output_size)
    require_floating("adaptive_max_pool3d", input)
    kernel = even_windows(input, out)
    if kernel:
        return max_pool3d(input, kernel, return_indices=return_indices)
    x, unbatched = _volumes(input)
    between, rows = (*x._data.shape[:3], *out[1:]), math.prod(out[1:])
    y, in_plane = AdaptiveMaxPool2d.apply(x.reshape(_planes(x._data.shape)), out[1:])
    y, in_depth = AdaptiveMaxPool2d.apply(y.reshape(_columns(between)), (out[0], rows))
    y = y.reshape(*between[:2], *out)
    if return_indices:
        plane, place = in_plane._data.reshape(between), in_depth._data.reshape(y._data.shape)
        where = Function.as_tensor(_in_volume(place // rows, plane, math.prod(x._data.shape[3:])))
        return (y.squeeze(0), where.squeeze(0)) if unbatched else (y, where)
    return y.squeeze(0) if unbatched else y


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool3d(..., return_indices=True)"""
    return adaptive_max_pool3d(input, output_size, True)


listed(globals())

__all__ = [
    "adaptive_avg_pool3d",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool3d",
    "lp_pool3d",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool3d",
]
