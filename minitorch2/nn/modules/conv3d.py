"""Convolution and transposed convolution in three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._sizes import Size3
from .conv import _ConvNd, _ConvTransposeNd

__all__ = ["Conv3d", "ConvTranspose3d"]


class Conv3d(_ConvNd):
    """Cross-correlation with a bank of kernels: (N, C_in, D, H, W) -> (N, C_out, D_out, H_out, W_out), or without N.

    The arguments are those of :class:`Conv1d`, each one int for all directions or three (depth, vertical,
    horizontal). weight is (C_out, C_in / groups, kernel depth, kernel height, kernel width).
    """

    _spatial_dims = 3
    _function = staticmethod(F.conv3d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        stride: Size3 = 1,
        padding: Size3 | str = 0,
        dilation: Size3 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution: (N, C_in, D, H, W) -> (N, C_out, D_out, H_out, W_out), or without N.

    The arguments are those of :class:`ConvTranspose1d`, each one int for all directions or three. weight is
    (C_in, C_out / groups, kernel depth, kernel height, kernel width).
    """

    _spatial_dims = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        output_padding = self._output_padding(input, output_size)
        return F.conv_transpose3d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            output_padding,
            self.groups,
            self.dilation,
        )
