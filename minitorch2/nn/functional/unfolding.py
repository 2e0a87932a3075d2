"""Sliding windows as columns and back; pixels moved between channels and space."""

from __future__ import annotations

import math
import operator

import minitorch2_kernels as K

from ...ops._common import require_floating, require_tensor, wrap_dim
from ...ops._images import follows_format
from ...ops.conv import Sizes
from ...ops.unfold import Col2Im, Im2Col


def _two(op, name, value) -> tuple[int, int]:
    """An int for both dims, or a sequence of two."""
    try:
        values = tuple(map(operator.index, (value, value) if isinstance(value, int) else tuple(value)))
    except TypeError:
        raise TypeError(f"{op}(): argument '{name}' must be tuple of ints, not {value}") from None
    if len(values) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    return values


def _settings(op, kernel_size, stride, padding, dilation):
    given = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    kernel, stride, padding, dilation = (_two(op, name, value) for name, value in given.items())
    for name, values in (("kernel size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(values) <= 0:
            word = name.split()[0]
            raise RuntimeError(
                f"{name} should be greater than zero, but got {word}_height: {values[0]} {word}_width: {values[1]}"
            )
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")
    return kernel, stride, padding, dilation


def unfold(input, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """The windows of input (N, C, H, W) or (C, H, W) as columns (N, C * KH * KW, number of windows)."""
    settings = _settings("unfold", kernel_size, stride, padding, dilation)
    shape = input._data.shape
    for dim in (1, 2):
        wrap_dim(dim, len(shape))
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            f"input, but got: {list(shape)}"
        )
    if input._data.dtype != K.bool:
        require_floating("im2col", input)
    counts = K.places(shape[-2:], *settings)
    if min(counts) < 1:
        kernel, _, padding, dilation = settings
        raise RuntimeError(
            f"Given input with spatial size {tuple(shape[-2:])}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, "
            f"calculated shape of the array of sliding blocks as {counts}, but its components must be at least one."
        )
    if len(shape) == 3:
        return Im2Col.apply(input.unsqueeze(0), settings).squeeze(0)
    return Im2Col.apply(input, settings)


def fold(input, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1):
    """The columns input (N, C * KH * KW, windows) or without N added up to (N, C, *output_size): unfold's transpose."""
    settings = _settings("fold", kernel_size, stride, padding, dilation)
    hw = _two("fold", "output_size", output_size)
    shape = input._data.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(shape)}"
        )
    if input._data.dtype != K.bool:
        require_floating("col2im", input)
    kernel, stride, padding, dilation = settings
    if shape[-2] % math.prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={shape[-2]} and kernel_size={kernel}."
        )
    counts = K.places(hw, *settings)
    if min(counts) < 1 or shape[-1] != math.prod(counts):
        raise RuntimeError(
            f"Given output_size={hw}, kernel_size={kernel}, dilation={dilation}, padding={padding}, stride={stride}, "
            "expected "
            f"size of input's dimension 2 to match the calculated number of sliding blocks {counts[0]} * {counts[1]} = "
            f"{math.prod(counts)}, but got input.size(2)={shape[-1]}."
        )
    if len(shape) == 2:
        return Col2Im.apply(input.unsqueeze(0), hw, settings).squeeze(0)
    return Col2Im.apply(input, hw, settings)


def pixel_shuffle(input, upscale_factor):
    """(*, C r^2, H, W) to (*, C, H r, W r). Source: Shi et al., 2016."""
    shape, r = input._data.shape, upscale_factor
    _check_pixels("pixel_shuffle", shape, "upscale_factor", r)
    *batch, c, h, w = shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    c //= r * r
    n = len(batch)
    x = input.reshape(*batch, c, r, r, h, w)
    x = x.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)  # (*, C, H, r, W, r)
    return x.clone().reshape(*batch, c, h * r, w * r)  # one pixel to a block, too, is in memory of its own


@follows_format
def pixel_unshuffle(input, downscale_factor):
    """(*, C, H r, W r) to (*, C r^2, H, W): pixel_shuffle's inverse."""
    shape, r = input._data.shape, downscale_factor
    _check_pixels("pixel_unshuffle", shape, "downscale_factor", r)
    *batch, c, h, w = shape
    for name, dim, size in (("height", -2, h), ("width", -1, w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={size} is "
                f"not divisible by {r}"
            )
    n = len(batch)
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    x = x.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)  # (*, C, r, r, H, W)
    return x.clone().reshape(*batch, c * r * r, h // r, w // r)


@follows_format
def channel_shuffle(input, groups):
    """The channels of (N, C, *), C = groups * k, in another order: the first of every group, the second of every ...

    RuntimeError for fewer than 3 dims, groups < 1 and a C that groups does not divide. Source: Zhang et al.,
    "ShuffleNet" (2017).
    """
    require_tensor("channel_shuffle", input)
    shape = input._data.shape
    if not isinstance(groups, int):
        raise TypeError(f"channel_shuffle(): argument 'groups' (position 2) must be int, not {type(groups).__name__}")
    if len(shape) < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(shape)


def native_channel_shuffle(input, groups):
    """channel_shuffle, by the name of torch's implementation for the CPU."""
    return channel_shuffle(input, groups)


def _check_pixels(op, shape, name, factor):
    if len(shape) < 3:
        raise RuntimeError(
            f"{op} expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{op} expects a positive {name}, but got {factor}")


__all__ = ["channel_shuffle", "fold", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "unfold"]
