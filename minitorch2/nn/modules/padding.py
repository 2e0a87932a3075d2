"""Padding modules: one int for every side, or (left, right, top, bottom, ...), the last dimension first."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._sizes import repeated
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _PadNd(Module):
    _spatial_dims: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = repeated(padding, 2 * self._spatial_dims)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_PadNd):
    """Pads (N, C, L) or (C, L) with its reflection, the edge not repeated."""

    _spatial_dims = 1
    _mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Pads (N, C, H, W) or (C, H, W) with its reflection, the edge not repeated."""

    _spatial_dims = 2
    _mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) with its reflection, the edge not repeated."""

    _spatial_dims = 3
    _mode = "reflect"


class ReplicationPad1d(_PadNd):
    """Pads (N, C, L) or (C, L) with the values at its edges."""

    _spatial_dims = 1
    _mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Pads (N, C, H, W) or (C, H, W) with the values at its edges."""

    _spatial_dims = 2
    _mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) with the values at its edges."""

    _spatial_dims = 3
    _mode = "replicate"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        unbatched = self._spatial_dims + 1
        if input.dim() not in (unbatched, unbatched + 1):
            raise ValueError(f"expected {unbatched}D or {unbatched + 1}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pads (N, C, L) or (C, L) as if it repeated for ever."""

    _spatial_dims = 1


class CircularPad2d(_CircularPadNd):
    """Pads (N, C, H, W) or (C, H, W) as if it repeated for ever."""

    _spatial_dims = 2


class CircularPad3d(_CircularPadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) as if it repeated for ever."""

    _spatial_dims = 3


class _ConstantPadNd(_PadNd):
    _mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with ``value``."""

    _spatial_dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with ``value``."""

    _spatial_dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with ``value``."""

    _spatial_dims = 3


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadNd):
    """Pads the last dimension with zeros."""

    _spatial_dims = 1


class ZeroPad2d(_ZeroPadNd):
    """Pads the last two dimensions with zeros."""

    _spatial_dims = 2


class ZeroPad3d(_ZeroPadNd):
    """Pads the last three dimensions with zeros."""

    _spatial_dims = 3
