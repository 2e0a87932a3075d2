"""Convolution in 2-d (1-d is a row of it), its transpose, their gradients: three ops closed under differentiation."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import LOW_PRECISION, c_name
from ..core.function import Function, called
from ._common import remembered, require_tensor
from ._half import once_in_half
from ._images import follows_format
from .joining import cat
from .pad import pad_constant
from .reduce import Sum
from .views import squeeze, unsqueeze


class Conv2d(Function):
    """y = x * w (+ bias). Settings: (stride, padding, dilation, groups)."""

    torch_name = "ConvolutionBackward0"
    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, x, w, bias, settings):
        need_x, need_w, _, _ = ctx.needs_input_grad
        ctx.settings, ctx.hw, ctx.khw = settings, x.shape[2:], w.shape[2:]
        ctx.save_for_backward(x if need_w else None, w if need_x else None)
        y = K.conv2d(x, w, *settings)
        return y if bias is None else K.add_bias(y, bias)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved
        return (
            None if w is None else ConvInputGrad.apply(g, w, ctx.hw, ctx.settings),
            None if x is None else ConvWeightGrad.apply(g, x, ctx.khw, ctx.settings),
            Sum.apply(g, (0, 2, 3), False) if ctx.needs_input_grad[2] else None,
            None,
        )

    @staticmethod
    def fused_backward(ctx, g):
        x, w = ctx.saved
        return (
            None if w is None else K.conv2d_input_grad(g, w, ctx.hw, *ctx.settings),
            None if x is None else K.conv2d_weight_grad(g, x, ctx.khw, *ctx.settings),
            K.bias_grad(g) if ctx.needs_input_grad[2] else None,
            None,
        )


class ConvInputGrad(Function):
    """dx from dy and w; as a layer of its own, the transposed convolution."""

    torch_name = "ConvolutionBackward0"
    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, g, w, hw, settings):
        need_g, need_w = ctx.needs_input_grad[:2]
        ctx.settings, ctx.khw = settings, w.shape[2:]
        ctx.save_for_backward(g if need_w else None, w if need_g else None)
        return K.conv2d_input_grad(g, w, hw, *settings)

    @staticmethod
    def backward(ctx, gx):  # <gx, dx(g, w)> = <conv(gx, w), g> = <dw(g, gx), w>
        g, w = ctx.saved
        return (
            None if w is None else Conv2d.apply(gx, w, None, ctx.settings),
            None if g is None else ConvWeightGrad.apply(g, gx, ctx.khw, ctx.settings),
            None,
            None,
        )


class ConvWeightGrad(Function):
    """dw from dy and x."""

    torch_name = "ConvolutionBackwardBackward0"
    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, g, x, khw, settings):
        need_g, need_x = ctx.needs_input_grad[:2]
        ctx.settings, ctx.hw = settings, x.shape[2:]
        ctx.save_for_backward(g if need_x else None, x if need_g else None)
        return K.conv2d_weight_grad(g, x, khw, *settings)

    @staticmethod
    def backward(ctx, gw):  # <gw, dw(g, x)> = <conv(x, gw), g> = <dx(g, gw), x>
        g, x = ctx.saved
        return (
            None if x is None else Conv2d.apply(x, gw, None, ctx.settings),
            None if g is None else ConvInputGrad.apply(g, gw, ctx.hw, ctx.settings),
            None,
            None,
        )


Sizes = int | Sequence[int]  # one for all dims, or one per dim


def pair(value: Sizes, n: int, op: str, name: str) -> tuple[int, ...]:
    """`value` once per dim: an int for all, or a sequence of n."""
    values = (value,) * n if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        values *= n
    if len(values) != n:
        raise RuntimeError(
            f"{op}(): expected {name} to be a single integer value or a list of {n} values, got {list(values)}"
        )
    return tuple(map(operator.index, values))


def _pad_odd(input, dims, same):
    """padding='same' is half of `same` on each side; of an odd number one zero more goes to the end."""
    for i, more in enumerate(same):
        if more % 2:
            dim = input._data.ndim - dims + i
            shape = (*input._data.shape[:dim], 1, *input._data.shape[dim + 1 :])
            input = cat([input, Function.as_tensor(K.zeros_like(input._data, shape=shape))], dim)
    return input


def _require_numbers(op, x):
    """Integers, on the CPU, or floats."""
    if x._data.dtype.kind == "b" or (x._data.dtype.kind in "iu" and K.on_device(x._data)):
        raise NotImplementedError(f"\"{op}\" not implemented for '{x.dtype.torch_type}'; convert with .float()")


def _check_dtypes(op, input, weight, bias):
    for name, x in (("input", input), ("weight", weight)):
        require_tensor(op, x, name)
    kind = c_name(input._data.dtype)
    for name, x, where in (("weight", weight, f" in {op}; convert one with .to()"), ("bias", bias, "")):
        if x is not None and x._data.dtype != input._data.dtype:
            raise RuntimeError(
                f"Input type ({kind}) and {name} type ({c_name(x._data.dtype)}) should be the same{where}"
            )
    _require_numbers(op, input)


def conv_arguments(op, dims, input, weight, bias, stride, padding, dilation, groups):
    """What a convolution in `dims` dims is called with, checked: the input with a batch and, for padding='same', with
    its odd zeros; (stride, padding, dilation, groups); whether the input came without a batch."""
    _check_dtypes(op, input, weight, bias)
    bias_shape = None if bias is None else bias._data.shape
    arguments = input._data.shape, weight._data.shape, bias_shape, stride, padding, dilation, groups
    stride, padding, dilation, same = _settings(op, dims, *arguments)
    unbatched = input._data.ndim == dims + 1
    if unbatched:
        input = unsqueeze(input, 0)
    if same:
        input = _pad_odd(input, dims, same)
    return input, (stride, padding, dilation, groups), unbatched


def _conv(op, dims, input, weight, bias, *arguments):
    input, settings, unbatched = conv_arguments(op, dims, input, weight, bias, *arguments)
    if dims == 1:  # one row of a 2-d convolution
        input, weight, settings = unsqueeze(input, 2), unsqueeze(weight, 2), _of_rows(*settings)
    y = Conv2d.apply(input, weight, bias, settings)
    y = called("ConvolutionBackward0", squeeze(y, 2)) if dims == 1 else y
    return squeeze(y, 0) if unbatched else y


def _of_rows(stride, padding, dilation, groups):
    return (1, *stride), (0, *padding), (1, *dilation), groups


@remembered
def _settings(op, dims, x, w, bias, stride, padding, dilation, groups):
    """(stride, padding, dilation), one number per dim, checked against the shapes of input, weight and bias; and for
    padding='same' by how much each dim grows in all, else ()."""
    stride, dilation = pair(stride, dims, op, "stride"), pair(dilation, dims, op, "dilation")
    _check_dims(op, dims, x, w)
    _check_steps(stride, dilation)
    if not isinstance(padding, str):  # before the channels, as in torch
        padding = pair(padding, dims, op, "padding")
        if min(padding) < 0:
            raise RuntimeError("negative padding is not supported")
    _check_channels(x, w, bias, x[-dims - 1], groups)
    reach = [d * (k - 1) + 1 for k, d in zip(w[2:], dilation, strict=True)]
    same = ()
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"Invalid padding string: '{padding}'; expected 'same' or 'valid'")
        if padding == "same":
            if any(s != 1 for s in stride):
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            same = tuple(r - 1 for r in reach)
        padding = tuple(n // 2 for n in same) or (0,) * dims
    grown = same or [2 * p for p in padding]
    sizes = [n + more for n, more in zip(x[-dims:], grown, strict=True)]
    if any(n < r for n, r in zip(sizes, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, sizes))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
    return stride, padding, dilation, same


def _check_steps(stride, dilation):
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def _check_weight(op, dims, x, w):
    if len(w) < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if len(w) == dims + 2:
        return
    if len(x) not in (len(w), len(w) - 1):
        raise RuntimeError(
            f"Expected {len(w)}-dimensional input for {len(w)}-dimensional weight {w}, but got {len(x)}-dimensional "
            f"input of size {x} instead"
        )
    raise RuntimeError(
        f"{op}: expected weight to be {dims + 2}-dimensional, but got {len(w)}-dimensional weight of size {w}"
    )


def _check_dims(op, dims, x, w):
    x = list(x)
    _check_weight(op, dims, x, list(w))
    if len(x) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {op}, but got input of size: {x}"
        )


def _check_channels(x, w, bias, channels, groups):
    x, w = list(x), list(w)
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if w[0] % groups or w[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, "
            f"{'and divisible by it, ' if groups > 1 else ''}but got weight of size {w} instead"
        )
    if 0 in w[2:]:
        height, width = ([1, *w[2:]])[-2:]
        raise RuntimeError(
            f"kernel size should be greater than zero, but got kernel_height: {height} kernel_width: {width}"
            if len(w) < 5
            else f"kernel size should be greater than zero, but got: {w[2]} x {w[3]} x {w[4]}"
        )
    if channels != w[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {w}, expected input{x} to have {w[1] * groups} channels, but got "
            f"{channels} channels instead"
        )
    if bias is not None and bias != (w[0],):
        raise RuntimeError(
            f"Given weight of size {w}, expected bias to be 1-dimensional with {w[0]} elements, but got bias of size "
            f"{list(bias)} instead"
        )


@follows_format
def conv2d(input, weight, bias=None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1, groups=1):
    """Cross-correlation of input (N, C, H, W) or (C, H, W) with weight (O, C/groups, KH, KW).

    padding: one number, one per dim, 'same' or 'valid'.
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv1d(input, weight, bias=None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1, groups=1):
    """Cross-correlation of input (N, C, L) or (C, L) with weight (O, C/groups, K).

    padding: a number, 'same' or 'valid'.
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose_arguments(op, dims, input, weight, bias, stride, padding, output_padding, groups, dilation):
    """What a transposed convolution in `dims` dims is called with, checked: the input with a batch; (stride, padding,
    dilation, groups); output_padding; the sizes of the output; whether the input came without a batch."""
    _check_dtypes(op, input, weight, bias)
    x, w = list(input._data.shape), list(weight._data.shape)
    if len(x) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {op}, but got input of size: {x}"
        )
    _check_weight(op, dims, x, w)
    stride, padding = pair(stride, dims, op, "stride"), pair(padding, dims, op, "padding")
    extra, dilation = pair(output_padding, dims, op, "output_padding"), pair(dilation, dims, op, "dilation")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(extra) < 0:
        raise RuntimeError("negative output_padding is not supported")
    _check_steps(stride, dilation)
    if w[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size {w} instead"
        )
    if x[-dims - 1] != w[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {w}, expected input{x} to have {w[0]} channels, but got "
            f"{x[-dims - 1]} channels instead"
        )
    if bias is not None and bias._data.shape != (w[1] * groups,):
        raise RuntimeError(
            f"Given transposed=1, weight of size {w}, expected bias to be 1-dimensional with {w[1] * groups} elements, "
            f"but got bias of size {list(bias._data.shape)} instead"
        )
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise RuntimeError(
                f"output padding must be smaller than either stride or dilation, but got output_padding: {e}, "
                f"stride: {s}, dilation: {d}"
            )
    unbatched = len(x) == dims + 1
    if unbatched:
        input = unsqueeze(input, 0)
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(input._data.shape[2:], stride, padding, dilation, w[2:], extra, strict=True)
    ]
    if min(sizes, default=1) <= 0:
        raise RuntimeError(
            f"Given input size per channel: {x[-dims:]}. Calculated output size per channel: {sizes}. Output size is "
            "too small"
        )
    return input, (stride, padding, dilation, groups), extra, sizes, unbatched


def spread_images(input, weight, settings, extra, sizes):
    """The transposed convolution of images, to an output of these sizes (OH, OW), which has output_padding `extra`."""
    stride, padding, dilation, groups = settings
    if all(e < s for e, s in zip(extra, stride, strict=True)):
        return ConvInputGrad.apply(input, weight, tuple(sizes), settings)
    # more places of the convolution would fit into that output than the input has: take all, then cut to size
    hw, khw = input._data.shape[2:], weight._data.shape[2:]
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(hw, stride, dilation, khw, strict=True)]
    y = ConvInputGrad.apply(input, weight, tuple(full), (stride, (0, 0), dilation, groups))
    after = [size + p - f for size, p, f in zip(sizes, padding, full, strict=True)]
    return pad_constant(y, (0, 0, *(-p for p in padding)), (0, 0, *after), 0)


def _conv_transpose(op, dims, input, weight, bias, *arguments):
    input, settings, extra, sizes, unbatched = conv_transpose_arguments(op, dims, input, weight, bias, *arguments)
    if dims == 1:
        input, weight, settings = unsqueeze(input, 2), unsqueeze(weight, 2), _of_rows(*settings)
        extra, sizes = (0, *extra), [1, *sizes]
    y = spread_images(input, weight, settings, extra, sizes)
    if bias is not None:
        y = y + bias.reshape(-1, 1, 1)
    y = squeeze(y, 2) if dims == 1 else y
    return squeeze(y, 0) if unbatched else y


@follows_format
def conv_transpose2d(
    input,
    weight,
    bias=None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups=1,
    dilation: Sizes = 1,
):
    """The gradient of conv2d with respect to its input, as a layer. weight (C, O/groups, KH, KW)."""
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@once_in_half
def conv_transpose1d(
    input,
    weight,
    bias=None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups=1,
    dilation: Sizes = 1,
):
    """The gradient of conv1d with respect to its input, as a layer. weight (C, O/groups, K)."""
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


listed(globals())
