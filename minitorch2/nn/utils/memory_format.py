"""The weights of convolutions in another order of memory. Source: torch's page
"torch.nn.utils.convert_conv2d_weight_memory_format"."""

from __future__ import annotations

from typing import Any, TypeVar

from ...core.layout import preserve_format
from ..modules.conv import Conv2d, ConvTranspose2d
from ..modules.conv3d import Conv3d, ConvTranspose3d
from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

_M = TypeVar("_M", bound=Module)


def convert_conv2d_weight_memory_format(module: _M, memory_format: Any) -> _M:
    """Every Conv2d's and ConvTranspose2d's weight, of the module and those inside it, in this order of memory.

    memory_format: channels_last or contiguous_format. The weights stay the same parameters. Returns the module.
    """
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: _M, memory_format: Any) -> _M:
    """As convert_conv2d_weight_memory_format, for Conv3d and ConvTranspose3d: contiguous_format, since there is no
    channels_last_3d here."""
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))


def _convert(module: _M, memory_format: Any, layers: tuple[type, ...]) -> _M:
    for each in module.modules():
        if isinstance(each, layers):
            if memory_format is preserve_format:
                raise RuntimeError("Unsupported memory formatPreserve")
            weight: Any = each.weight
            weight.data = weight.detach().clone(memory_format=memory_format)
    return module
