"""Convolution in 3-d and its transpose, made of the 2-d ones: what a kernel sees along depth becomes channels.

A kernel of KD planes that stands at depth i looks at KD planes of the input. Put beside each other as channels, C then
KD, they are one image, the kernel is a kernel of images with as many channels, and the places along depth are a batch:

    y[n, :, i] = conv2d(image (C * KD, H, W) of place i, w reshaped to (O, C/groups * KD, KH, KW))

One call of the 2-d op does the whole work. Its transpose gives KD planes for each plane of the input, which are
added up where they belong.
"""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ._half import once_in_half
from .conv import Conv2d, Sizes, conv_arguments, conv_transpose_arguments, spread_images
from .conversion import contiguous
from .views import transpose


def _taps(depth, places, kernel, stride, padding, dilation):
    """For each tap of the kernel: its number, the places from which it sees a plane and not the padding, and which."""
    for k in range(kernel):
        start = k * dilation - padding  # what the tap sees from place 0
        first, last = max(-(start // stride), 0), min((depth - 1 - start) // stride, places - 1)
        if first <= last:
            seen = slice(start + first * stride, start + last * stride + 1, stride)
            yield k, slice(first, last + 1), seen


class TakePlanes(Function):
    """x (N, C, D, H, W) as images (N * places, C * KD, H, W) of the planes that a window along D sees at each place.

    window: (KD, stride, padding, dilation); the padding is zero.
    """

    keeps_dtype = True
    torch_name = "ConvolutionBackward0"

    @staticmethod
    def forward(ctx, x, places, window):
        n, c, d, h, w = x.shape
        ctx.places, ctx.depth, ctx.window = places, d, window
        images = K.namespace(x).zeros((n, places, c, window[0], h, w), x.dtype)
        for k, at, seen in _taps(d, places, *window):
            images[:, at, :, k] = x[:, :, seen].swapaxes(1, 2)
        return images.reshape(n * places, c * window[0], h, w)

    @staticmethod
    def backward(ctx, g):
        return AddPlanes.apply(g, ctx.places, ctx.depth, ctx.window), None, None


class AddPlanes(Function):
    """TakePlanes' transpose: images (N * places, C * KD, H, W) added up to (N, C, depth, H, W)."""

    torch_name = "ConvolutionBackward0"

    @staticmethod
    def forward(ctx, images, places, depth, window):
        ctx.places, ctx.window = places, window
        many, channels, h, w = images.shape
        n, c = many // places, channels // window[0]
        images = images.reshape(n, places, c, window[0], h, w)
        x = K.namespace(images).zeros((n, c, depth, h, w), images.dtype)
        for k, at, seen in _taps(depth, places, *window):
            x[:, :, seen] += images[:, at, :, k].swapaxes(1, 2)
        return x

    @staticmethod
    def backward(ctx, g):
        return TakePlanes.apply(g, ctx.places, ctx.window), None, None, None


def _split(stride, padding, dilation, groups):
    """Settings of three dims as those of depth, and those of height and width with the groups."""
    return (stride[0], padding[0], dilation[0]), (stride[1:], padding[1:], dilation[1:], groups)


def conv3d(input, weight, bias=None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1, groups=1):
    """Cross-correlation of input (N, C, D, H, W) or (C, D, H, W) with weight (O, C/groups, KD, KH, KW).

    padding: one number, one per dim, 'same' or 'valid'. RuntimeError for shapes that do not fit, as of conv2d.
    """
    arguments = input, weight, bias, stride, padding, dilation, groups
    input, settings, unbatched = conv_arguments("conv3d", 3, *arguments)
    deep, flat = _split(*settings)
    n, _, d = input._data.shape[:3]
    o, c, kd, *khw = weight._data.shape
    places = (d + 2 * deep[1] - deep[2] * (kd - 1) - 1) // deep[0] + 1
    images = TakePlanes.apply(input, places, (kd, *deep))
    y = Conv2d.apply(images, weight.reshape(o, c * kd, *khw), bias, flat)
    y = contiguous(transpose(y.reshape(n, places, *y._data.shape[1:]), 1, 2))
    return y.squeeze(0) if unbatched else y


@once_in_half
def conv_transpose3d(
    input,
    weight,
    bias=None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups=1,
    dilation: Sizes = 1,
):
    """The gradient of conv3d with respect to its input, as a layer. weight (C, O/groups, KD, KH, KW).

    RuntimeError for shapes that do not fit, and for output_padding that is neither below stride nor below dilation.
    """
    arguments = input, weight, bias, stride, padding, output_padding, groups, dilation
    input, settings, extra, sizes, unbatched = conv_transpose_arguments("conv_transpose3d", 3, *arguments)
    deep, flat = _split(*settings)
    n, c, d, *hw = input._data.shape
    _, o, kd, *khw = weight._data.shape
    images = transpose(input, 1, 2).reshape(n * d, c, *hw)
    y = spread_images(images, weight.reshape(c, o * kd, *khw), flat, extra[1:], sizes[1:])
    y = AddPlanes.apply(y, d, sizes[0], (kd, *deep))
    if bias is not None:
        y = y + bias.reshape(-1, 1, 1, 1)
    return y.squeeze(0) if unbatched else y


listed(globals())
