"""InstanceNorm1d, 2d, 3d."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .batchnorm import _NormBase

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_NormBase):
    _spatial_dims: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest) -> None:  # type: ignore[override]
        # Before torch 0.4, which first numbered its states, the statistics were saved though none were used.
        if local_metadata.get("version") is None and not self.track_running_stats:
            keys = [key for key in (f"{prefix}running_mean", f"{prefix}running_var") if key in state_dict]
            if keys:
                quoted = " and ".join(f'"{key}"' for key in keys)
                *_, error_msgs = rest
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {quoted} for {self._get_name()} with "
                    "track_running_stats=False. A state of PyTorch before 0.4.0 has them although they were not used: "
                    "delete them from it, or make the layer with track_running_stats=True if it is to use them."
                )
            for key in keys:
                del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def _check_input_dim(self, input: Tensor) -> None:
        unbatched = self._spatial_dims + 1
        if input.dim() not in (unbatched, unbatched + 1):
            raise ValueError(f"expected {unbatched}D or {unbatched + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        batched = input.dim() == self._spatial_dims + 2
        feature_dim = 1 if batched else 0
        if input.size(feature_dim) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={feature_dim} to match num_features "
                    f"({self.num_features}), but got: {input.size(feature_dim)}."
                )
            warnings.warn(
                f"input's size at dim={feature_dim} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        return self._normalize(input) if batched else self._normalize(input.unsqueeze(0)).squeeze(0)

    def _normalize(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L); see :class:`InstanceNorm2d`."""

    _spatial_dims = 1


class InstanceNorm2d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) for each sample and channel of (N, C, H, W) or (C, H, W).

    Unlike batch norm it has by default neither scale and shift nor running statistics. Ulyanov et al. (2016).
    """

    _spatial_dims = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W); see :class:`InstanceNorm2d`."""

    _spatial_dims = 3
