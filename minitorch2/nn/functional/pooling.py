"""Pooling: the arguments, read as torch reads them."""

from __future__ import annotations

import minitorch2_kernels as K

from ...core.function import Function
from ...ops.conv import pair
from ...ops.pooling import MaxPool2d


def pooled_size(n, kernel, stride, padding, dilation, ceil_mode) -> int:
    """How many windows fit along n elements; with ceil_mode one more, if it starts inside the input or its left padding."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= n + padding:
        count -= 1
    return count


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest of each window of input (N, C, H, W) or (C, H, W); stride defaults to kernel_size.

    return_indices: also where it stood in the flattened (H, W) plane, int64. NaN wins; of equals, the first.
    """
    op = "max_pool2d"
    kernel = pair(kernel_size, 2, op, "kernel_size")
    stride = kernel if stride is None or stride == [] else pair(stride, 2, op, "stride")
    padding, dilation = pair(padding, 2, op, "padding"), pair(dilation, 2, op, "dilation")
    if input._data.ndim not in (3, 4):
        raise RuntimeError(
            f"non-empty 3D or 4D (batch mode) tensor expected for input, but got a {input._data.ndim}D tensor in {op}"
        )
    if min(stride) <= 0:
        raise RuntimeError("stride should not be zero")
    for k, p in zip(kernel, padding, strict=True):
        if p < 0 or p > k // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation=1"
            )
    unbatched = input._data.ndim == 3
    x = input.unsqueeze(0) if unbatched else input
    hw = x._data.shape[2:]
    out = tuple(pooled_size(hw[i], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in (0, 1))
    if min(out) <= 0:
        raise RuntimeError(
            f"Given input size: ({x._data.shape[1]}x{hw[0]}x{hw[1]}). Calculated output size: "
            f"({x._data.shape[1]}x{out[0]}x{out[1]}). Output size is too small"
        )
    settings = (kernel, stride, padding, dilation)
    y, winner = MaxPool2d.apply(x, settings, out)
    y = y.squeeze(0) if unbatched else y
    if not return_indices:
        return y
    indices = Function.variable(K.winner_indices(winner._data, hw, *settings))
    return y, indices.squeeze(0) if unbatched else indices


__all__ = ["max_pool2d", "pooled_size"]
