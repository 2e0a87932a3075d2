"""max(x, 0)."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Elementwise


class Relu(Elementwise):
    flat = (0,)

    @staticmethod
    def forward(ctx, x):
        y = K.relu(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved
        return ReluGrad.apply(g, y)


class ReluInto(Relu):
    """relu of x into `out`, which is x itself."""

    torch_name = "ReluBackward0"

    @staticmethod
    def forward(ctx, x, out):
        y = K.relu(x, out)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return Relu.backward(ctx, g), None


Relu.into = K.relu, ReluInto


class ReluGrad(Elementwise):
    """g where y is not 0: the slope is 0 at 0 and 1 at nan, as torch has it. Linear in g, its own transpose."""

    @staticmethod
    def forward(ctx, g, y):
        ctx.save_for_backward(y)
        return K.relu_grad(g, y)

    @staticmethod
    def backward(ctx, h):
        (y,) = ctx.saved
        return ReluGrad.apply(h, y), None
