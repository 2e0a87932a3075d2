"""Activations made of pieces: each is one function below a threshold and another above it.

Where their slope jumps, torch has chosen one side; the comparisons in each backward are torch's. NaN goes through,
with the slope that those comparisons give it.
"""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Elementwise
from ._common import Broadcasting, require_floating, require_tensor
from ._half import beside_half
from .arithmetic import Where
from .clamping import Clamp
from .unary import Exp


class Threshold(Elementwise):
    """x where x > threshold, else value."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x, threshold, value):
        if x.dtype.kind == "b":
            raise NotImplementedError("\"threshold_cpu\" not implemented for 'Bool'; convert with .int()")
        ctx.save_for_backward(x)
        ctx.threshold = threshold
        return K.threshold(x, threshold, value)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return Where.apply(x <= ctx.threshold, 0.0, g), None, None

    @staticmethod
    def fused_backward(ctx, g):
        return K.threshold_grad(g, *ctx.saved, ctx.threshold), None, None


class Hardtanh(Elementwise):
    """x limited to [low, high]; flat at both ends, where Clamp has slope 1."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return K.hardtanh(x, low, high)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return HardtanhGrad.apply(g, x, ctx.low, ctx.high), None, None


class HardtanhInto(Hardtanh):
    """hardtanh of x into `out`, which is x itself; its result is inside the limits where x is."""

    torch_name = "HardtanhBackward0"

    @staticmethod
    def forward(ctx, x, low, high, out):
        y = K.hardtanh(x, low, high, out)
        ctx.save_for_backward(y)
        ctx.low, ctx.high = low, high
        return y

    @staticmethod
    def backward(ctx, g):
        return *Hardtanh.backward(ctx, g), None


Hardtanh.into = K.hardtanh, HardtanhInto


class HardtanhGrad(Elementwise):
    """g where low < x < high, else 0; the slope in x is 0 everywhere."""

    torch_name = "HardtanhBackwardBackward0"

    @staticmethod
    def forward(ctx, g, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return K.hardtanh_grad(g, x, low, high)

    @staticmethod
    def backward(ctx, gg):
        (x,) = ctx.saved
        return HardtanhGrad.apply(gg, x, ctx.low, ctx.high), None, None, None


class LeakyRelu(Elementwise):
    """x where x > 0, else slope * x."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return K.leaky_relu(x, slope)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return Where.apply(x > 0, g, g * ctx.slope), None

    @staticmethod
    def fused_backward(ctx, g):
        return K.leaky_relu_grad(g, *ctx.saved, ctx.slope), None


class PReLU(Broadcasting):
    """x where x > 0, else weight * x; the two broadcast."""

    torch_name = "PreluKernelBackward0"
    flat = (0,)

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        if weight.size == 1 and x.ndim and not K.on_device(x):  # a GPU would have to be asked for the number
            return K.leaky_relu(x, weight.item())
        return K.prelu(x, weight)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved
        need_x, need_weight = ctx.needs_input_grad
        return (
            Where.apply(x > 0, g, K.times(g, weight)) if need_x else None,
            Where.apply(x > 0, 0.0, K.times(g, x)) if need_weight else None,
        )


class Elu(Elementwise):
    """scale * x where x > 0, else scale * alpha * (exp(input_scale * x) - 1)."""

    @staticmethod
    def forward(ctx, x, alpha, scale, input_scale):
        ctx.save_for_backward(x)
        ctx.alpha, ctx.scale, ctx.input_scale = alpha, scale, input_scale
        return K.elu(x, alpha, scale, input_scale)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        # exp never sees a positive x: an overflow there would turn the other piece's zero slope into nan
        falling = Exp.apply(Clamp.apply(x, None, 0.0) * ctx.input_scale) * (ctx.alpha * ctx.scale * ctx.input_scale)
        return Where.apply(x <= 0, g * falling, g * ctx.scale), None, None, None

    @staticmethod
    def fused_backward(ctx, g):
        return K.elu_grad(g, *ctx.saved, ctx.alpha, ctx.scale, ctx.input_scale), None, None, None


class Hardsigmoid(Elementwise):
    """min(max(x + 3, 0), 6) / 6"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.hardsigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return Where.apply((x > -3) & (x < 3), g / 6, 0.0)

    @staticmethod
    def fused_backward(ctx, g):
        return K.hardsigmoid_grad(g, *ctx.saved)


class Hardswish(Elementwise):
    """x * hardsigmoid(x)"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return K.hardswish(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        middle = Where.apply(x < 3, g * (x / 3 + 0.5), g)
        return Where.apply(x <= -3, 0.0, middle)

    @staticmethod
    def fused_backward(ctx, g):
        return K.hardswish_grad(g, *ctx.saved)


class Hardshrink(Elementwise):
    """0 where |x| <= lambd, else x."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x, lambd):
        ctx.save_for_backward(x)
        ctx.lambd = lambd
        return K.hardshrink(x, lambd)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return Where.apply((x >= -ctx.lambd) & (x <= ctx.lambd), 0.0, g), None

    @staticmethod
    def fused_backward(ctx, g):
        return K.shrink_grad(g, *ctx.saved, ctx.lambd), None


class Softshrink(Elementwise):
    """x brought lambd closer to 0, and 0 where |x| <= lambd."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x, lambd):
        ctx.save_for_backward(x)
        ctx.lambd = lambd
        return K.softshrink(x, lambd)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved
        return Where.apply((x >= -ctx.lambd) & (x <= ctx.lambd), 0.0, g), None

    @staticmethod
    def fused_backward(ctx, g):
        return K.shrink_grad(g, *ctx.saved, ctx.lambd), None


def prelu(input, weight):
    """input where it is above 0, else weight * input; weight has one element, or one per channel (dim 1).

    Source: He et al., "Delving Deep into Rectifiers", 2015.
    """
    require_tensor("prelu", input)
    require_tensor("prelu", weight, "weight", 2)
    shape = input._data.shape
    if input._data.dtype != weight._data.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.torch_type} and {weight.dtype.torch_type}"
        )
    if weight._data.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight._data.ndim}")
    if weight._data.size != 1:
        if not shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = shape[1] if len(shape) > 1 else 1
        if weight._data.size != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight._data.size} and channel size = {channels}."
            )
        weight = weight.reshape(-1, *(1,) * (len(shape) - 2))
    elif weight._data.ndim > len(shape):
        weight = weight.reshape(())
    require_floating("prelu_cpu", input)
    return PReLU.apply(input, weight)


def hardshrink(input, lambd=0.5):
    """input where |input| > lambd, else 0."""
    require_tensor("hardshrink", input)
    require_floating("hardshrink", input)
    return Hardshrink.apply(*beside_half(input, lambd))


listed(globals())


class RectifierMethods:
    prelu, hardshrink = prelu, hardshrink
