"""A batch normalisation made part of the layer before it, for evaluation.

y = (W x + b - mean) s + shift with s = scale / sqrt(var + eps) is the layer (s W) x + (b - mean) s + shift.
Source: torch's page "torch.nn.utils.fusion".
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ...creation import ones_like, zeros_like
from ...tensor import Tensor
from ..modules.linear import Linear
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

_M = TypeVar("_M", bound=Module)
_L = TypeVar("_L", bound=Linear)


def fuse_conv_bn_eval(conv: _M, bn: Any, transpose: bool = False) -> _M:
    """A copy of the convolution that does what `conv` and then `bn` do; transpose: for a transposed convolution.

    AssertionError unless both are in evaluation mode and `bn` has running statistics.
    """
    _check_fusable(conv, bn)
    fused: Any = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """(weight, bias) of the fused convolution, of the dtypes of the convolution's.

    conv_w: (C_out, C_in, ...), with transpose (C_in, C_out, ...); all others (C_out,) or None.
    """
    bias = zeros_like(bn_rm) if conv_b is None else conv_b
    scale = ones_like(bn_rm) if bn_w is None else bn_w
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    rstd = (bn_rv + bn_eps).rsqrt()
    shape = (1, -1) if transpose else (-1, 1)
    weight = conv_w * (scale * rstd).reshape(*shape, *(1,) * (conv_w.dim() - 2))
    fused_bias = (bias - bn_rm) * rstd * scale + shift
    return _as_parameters(weight, fused_bias, conv_w, conv_b, bias.requires_grad)


def fuse_linear_bn_eval(linear: _L, bn: Any) -> _L:
    """A copy of the linear layer that does what `linear` and then `bn` do.

    AssertionError unless both are in evaluation mode, `bn` has running statistics, and as many features as `linear`
    has outputs, or a single one.
    """
    _check_fusable(linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused: Any = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """(weight, bias) of the fused linear layer. linear_w: (out, in), all others (out,), those of bn also (1,)."""
    bias = zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    weight = linear_w * scale.unsqueeze(-1).to(linear_w.dtype)
    fused_bias = (bias - bn_rm) * scale + bn_b
    return _as_parameters(weight, fused_bias, linear_w, linear_b, bias.requires_grad)


def _check_fusable(layer: Module, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def _as_parameters(
    weight: Tensor, bias: Tensor, old_weight: Tensor, old_bias: Tensor | None, bias_requires_grad: bool
) -> tuple[Parameter, Parameter]:
    bias_dtype = (old_weight if old_bias is None else old_bias).dtype
    return (
        Parameter(weight.to(old_weight.dtype), old_weight.requires_grad),
        Parameter(bias.to(bias_dtype), bias_requires_grad),
    )
