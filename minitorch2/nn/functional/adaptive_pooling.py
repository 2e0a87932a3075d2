"""Pooling to a given output size."""

from __future__ import annotations

import operator
from typing import Any

from ...ops._common import require_floating
from ...ops._half import once_in_half
from ...ops._images import follows_format
from ...ops.adaptive_pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from .pooling import avg_pool2d, max_pool2d


@once_in_half
def adaptive_avg_pool1d(input, output_size) -> Any:
    """The means of output_size windows that cover input (N, C, L) or (C, L)."""
    return _in_one_dim("adaptive_avg_pool1d", adaptive_avg_pool2d, input, output_size)


@follows_format
@once_in_half
def adaptive_avg_pool2d(input, output_size):
    """The means of output_size windows (an int or two; None keeps a size) over (N, C, H, W) or (C, H, W)."""
    out = output_sizes("adaptive_avg_pool2d", 2, input, output_size, one_is_mean=True)
    if out == (1, 1):
        return input.mean((-1, -2), keepdim=True)
    require_floating("adaptive_avg_pool2d", input)
    kernel = even_windows(input, out)
    if kernel:
        return avg_pool2d(input, kernel)
    return AdaptiveAvgPool2d.apply(input, out)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest elements of output_size windows that cover input (N, C, L) or (C, L); with their indices if asked."""
    return _in_one_dim("adaptive_max_pool1d", adaptive_max_pool2d, input, output_size, return_indices)


@follows_format
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest elements of output_size windows (an int or two; None keeps a size) that cover input (N, C, H, W) or
    (C, H, W). return_indices: also where they stood in the flattened (H, W) plane, int64."""
    out = output_sizes("adaptive_max_pool2d", 2, input, output_size)
    if input._data.dtype.kind not in "fV":
        raise NotImplementedError(
            f"\"adaptive_max_pool2d\" not implemented for '{input.dtype.torch_type}'; convert with .float()"
        )
    kernel = even_windows(input, out)
    if kernel:
        return max_pool2d(input, kernel, return_indices=return_indices)
    x = input if input._data.ndim == 4 else input.unsqueeze(0)
    y, where = AdaptiveMaxPool2d.apply(x, out)
    if x is not input:
        y, where = y.squeeze(0), where.squeeze(0)
    return (y, where) if return_indices else y


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool1d(..., return_indices=True)"""
    return adaptive_max_pool1d(input, output_size, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool2d(..., return_indices=True)"""
    return adaptive_max_pool2d(input, output_size, True)


def _in_one_dim(op, pool, input, output_size, *rest):
    if not isinstance(output_size, int):
        if len(output_size) != 1:
            raise RuntimeError(f"{op}() argument 'output_size' should contain one int (got {len(output_size)})")
        (output_size,) = output_size
    if input._data.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input._data.ndim}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {op})"
        )
    y = pool(input.unsqueeze(-2), (1, output_size), *rest)
    return tuple(part.squeeze(-2) for part in y) if isinstance(y, tuple) else y.squeeze(-2)


def output_sizes(op, dims, input, output_size, one_is_mean=False) -> tuple[int, ...]:
    """`output_size` of an adaptive pool over the last `dims` dims, one int per dim; an error where it, or the shape
    of the input, does not do. one_is_mean: an output of one element is a mean, which takes any shape."""
    shape = input._data.shape
    if isinstance(output_size, int) or output_size is None:
        out = (output_size,) * dims
    else:
        out = tuple(output_size)
        if len(shape) <= len(out):
            raise ValueError(f"Input dimension should be at least {len(out) + 1}")
    if one_is_mean and out == (1,) * dims:
        return out
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(f"{op}(): Expected {dims + 1}D or {dims + 2}D tensor, but got {list(shape)}")
    if len(out) != dims:
        raise RuntimeError(f"{op}: output_size must be {dims}")
    out = tuple(n if o is None else operator.index(o) for n, o in zip(shape[-dims:], out, strict=True))
    if min(out) < 0:
        raise RuntimeError(
            f"{op}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, out))}}}"
        )
    any_channels = (dims < 3 and one_is_mean) or len(shape) == dims + 1
    for d in range(len(shape) - dims - (not any_channels), len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{op}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{list(shape)} with dimension {d} being empty"
            )
    return out


def even_windows(input, out) -> tuple[int, ...] | None:
    """The kernel size, where all windows are equal: then this is ordinary pooling."""
    sizes = input._data.shape[-len(out) :]
    if input._data.size and min(out) > 0 and all(n % o == 0 for n, o in zip(sizes, out, strict=True)):
        return tuple(n // o for n, o in zip(sizes, out, strict=True))
    return None


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
]
