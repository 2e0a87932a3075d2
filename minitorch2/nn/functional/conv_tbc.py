"""conv_tbc: convolution of sequences that lie time first."""

from __future__ import annotations

from ...ops._common import require_tensor
from ...ops.conv import conv1d


def conv_tbc(input, weight, bias, pad=0):
    """conv1d of input (T, N, C), `pad` zeros at both ends, with weight (K, C, D) and bias (D):
    (T + 2 pad - K + 1, N, D)."""
    for position, (name, t) in enumerate((("input", input), ("weight", weight), ("bias", bias)), 1):
        require_tensor("conv_tbc", t, name, position)
    if input._data.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight._data.ndim != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if bias._data.ndim != 1:
        raise RuntimeError("Bias must be 1-D")
    if input._data.shape[2] != weight._data.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight._data.shape[2] != bias._data.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


__all__ = ["conv_tbc"]
