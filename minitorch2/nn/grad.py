"""torch.nn.grad: the gradients of a convolution, from sizes and the gradient of its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd import grad
from ..core.grad_mode import enable_grad, is_grad_enabled
from ..tensor import Tensor
from . import functional as F
from .modules._sizes import repeated

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _input(dims: int, input_size: Sequence[int], weight: Tensor, grad_output: Tensor, *settings: Any) -> Tensor:
    """The transposed convolution, padded to this size."""
    stride, padding, dilation = (repeated(each, dims) for each in settings[:3])
    reached = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, s, p, d, k in zip(
            grad_output.shape[-dims:], stride, padding, dilation, weight.shape[-dims:], strict=True
        )
    ]
    more = tuple(size - n for size, n in zip(input_size[-dims:], reached, strict=True))
    transposed = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1]
    return transposed(grad_output, weight, None, stride, padding, more, settings[3], dilation)


def _weight(dims: int, input: Tensor, weight_size: Sequence[int], grad_output: Tensor, *settings: Any) -> Tensor:
    recorded = is_grad_enabled() and (input.requires_grad or grad_output.requires_grad)
    with enable_grad():
        weight = grad_output.new_zeros(weight_size, requires_grad=True)
        output = (F.conv1d, F.conv2d, F.conv3d)[dims - 1](input, weight, None, *settings)
    result: Any = grad(output, weight, grad_output, create_graph=recorded)[0]
    return result


def conv1d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv1d's input, of this size."""
    return _input(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv1d's weight, of this size."""
    return _weight(1, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv2d's input, of this size."""
    return _input(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv2d's weight, of this size."""
    return _weight(2, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv3d's input, of this size."""
    return _input(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of conv3d's weight, of this size."""
    return _weight(3, input, weight_size, grad_output, stride, padding, dilation, groups)
