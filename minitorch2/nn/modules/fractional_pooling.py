"""Max pooling over windows whose distances are drawn at random, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ._sizes import Size2, Size3, repeated
from .module import Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]


class _FractionalMaxPoolNd(Module):
    _spatial_dims: int
    _pool: Callable[..., Any]
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        n, name = self._spatial_dims, type(self).__name__
        self.kernel_size = repeated(kernel_size, n)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else repeated(output_size, n)
        self.output_ratio: Any = None if output_ratio is None else repeated(output_ratio, n)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if output_ratio is not None and not all(0 < self.output_ratio[d] < 1 for d in range(n)):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return self._pool(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The largest values under windows of (N, C, H, W) or (C, H, W) that lie at drawn distances.

    There are ``output_size`` of them, or the share ``output_ratio`` (between 0 and 1) of the elements: one number or
    one per dim. ``return_indices`` adds the flat positions of the maxima within each channel.
    ValueError where both are given, or neither, and for other ratios. Source: Graham, "Fractional Max-Pooling" (2014).
    """

    _spatial_dims = 2
    _pool = staticmethod(F.fractional_max_pool2d)

    def __init__(
        self,
        kernel_size: Size2,
        output_size: Size2 | None = None,
        output_ratio: float | tuple[float, float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """:class:`FractionalMaxPool2d` with depth: of (N, C, D, H, W) or (C, D, H, W)."""

    _spatial_dims = 3
    _pool = staticmethod(F.fractional_max_pool3d)

    def __init__(
        self,
        kernel_size: Size3,
        output_size: Size3 | None = None,
        output_ratio: float | tuple[float, float, float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        if min(repeated(kernel_size, 3)) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)
