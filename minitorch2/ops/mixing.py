"""Arithmetic of three tensors: between two of them (lerp), or with the product or quotient of two."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import called
from ..core.variable import Variable
from ._arguments import number_first
from ._common import Broadcasting, fitting, is_number, require_floating, result_type, to_dtype
from ._half import is_half, rounded_once
from ._inplace import inplace
from ._refusals import kind_of


class Lerp(Broadcasting):
    """a + weight (b - a); weight a number"""

    @staticmethod
    def forward(ctx, a, b, weight):
        ctx.weight = weight
        return K.interpolated(a, b, weight)

    @staticmethod
    def backward(ctx, g):
        need_a, need_b, _ = ctx.needs_input_grad
        return K.times(g, 1 - ctx.weight) if need_a else None, K.times(g, ctx.weight) if need_b else None, None


class LerpByTensor(Broadcasting):
    """a + weight (b - a), from b for weights of a half and more: at weight 1 it is b; weight a tensor"""

    torch_name = "LerpBackward1"

    @staticmethod
    def forward(ctx, a, b, weight):
        ctx.save_for_backward(a, b, weight)
        difference = b - a
        return K.where(K.abs(weight) < 0.5, a + weight * difference, b + (weight - 1) * difference)

    @staticmethod
    def backward(ctx, g):
        a, b, weight = ctx.saved
        need_a, need_b, need_weight = ctx.needs_input_grad
        return (
            g * (1 - weight) if need_a else None,
            g * weight if need_b else None,
            g * (b - a) if need_weight else None,
        )


def lerp(input, end, weight):
    """input + weight * (end - input); weight a number or a tensor."""
    for name, x in (("end", end), ("weight", weight)):
        if isinstance(x, Variable) and x._data.dtype != input._data.dtype:
            raise RuntimeError(
                f"expected dtype {input.dtype.torch_type.lower()} for `{name}` but got dtype "
                f"{x.dtype.torch_type.lower()}"
            )
    require_floating("lerp_kernel_scalar", input)
    if is_half(input):
        return rounded_once(lerp, input, end, weight)
    if is_number(weight):
        return Lerp.apply(input, end, float(input._data.dtype.type(weight)))
    return LerpByTensor.apply(input, end, weight)


def addcmul(input, tensor1, tensor2, last=None, *, value=1):
    """input + value * tensor1 * tensor2. (torch's old form: addcmul(input, value, tensor1, tensor2).)"""
    if last is not None:
        (tensor1, tensor2), value = number_first("addcmul", tensor1, (tensor2, last))
    dtype = result_type(input, tensor1, tensor2)
    input, tensor1, tensor2 = (to_dtype(x, dtype.numpy) for x in (input, tensor1, tensor2))
    if is_half(input):
        return rounded_once(addcmul, input, tensor1, tensor2, value=value)
    if dtype.category == "bool":
        raise NotImplementedError("\"addcmul_cpu_out\" not implemented for 'Bool'; convert with .int()")
    if dtype.category == "int":  # the number does not take part in the promotion
        value = fitting(value, dtype.numpy)
    return called("AddcmulBackward0", input + (tensor1 if value == 1 else value * tensor1) * tensor2)


def addcdiv(input, tensor1, tensor2, last=None, *, value=1):
    """input + value * tensor1 / tensor2. (torch's old form: addcdiv(input, value, tensor1, tensor2).)"""
    if last is not None:
        (tensor1, tensor2), value = number_first("addcdiv", tensor1, (tensor2, last))
    if kind_of(tensor1) in "biu" and kind_of(tensor2) in "biu":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported: write input + value * torch.trunc(tensor1 / "
            "tensor2) to round towards zero, or convert with .float() first"
        )
    dtype = result_type(input, tensor1, tensor2).numpy
    input, tensor1, tensor2 = (to_dtype(x, dtype) for x in (input, tensor1, tensor2))
    if is_half(input):
        return rounded_once(addcdiv, input, tensor1, tensor2, value=value)
    return called("AddcdivBackward0", input + (tensor1 if value == 1 else value * tensor1) / tensor2)


listed(globals())


class MixingMethods:
    lerp, addcmul, addcdiv = lerp, addcmul, addcdiv
    lerp_, addcmul_, addcdiv_ = inplace(lerp), inplace(addcmul), inplace(addcdiv)
