"""torch.cuda.amp: the older names of torch.amp's parts, with the device "cuda". Deprecated, as in torch."""

from __future__ import annotations

import warnings
from typing import Any

from .. import amp
from ..amp.grad_scaler import OptState, _refresh_per_optimizer_state
from ..amp.old_names import OldGradScaler, warn_of
from ..core.dtypes import dtype as Dtype
from ..core.dtypes import float16
from ..core.placing import place

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"`torch.cuda.amp.{old}` is deprecated. Please use `torch.amp.{new}` instead.", FutureWarning, stacklevel=3
    )


class autocast(amp.autocast):
    """Deprecated: torch.amp.autocast("cuda", ...)."""

    def __init__(self, enabled: bool = True, dtype: Dtype = float16, cache_enabled: bool = True) -> None:
        warn_of("cuda", "autocast")
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(OldGradScaler):
    """Deprecated: torch.amp.GradScaler("cuda", ...)."""

    of_device = "cuda"


def custom_fwd(fwd: Any = None, *, cast_inputs: Dtype | None = None) -> Any:
    """Deprecated: torch.amp.custom_fwd(..., device_type="cuda")."""
    _warn("custom_fwd(args...)", "custom_fwd(args..., device_type='cuda')")
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any) -> Any:
    """Deprecated: torch.amp.custom_bwd(..., device_type="cuda")."""
    _warn("custom_bwd(args...)", "custom_bwd(args..., device_type='cuda')")
    return amp.custom_bwd(bwd, device_type="cuda")


_PARTS = {"GradScaler": GradScaler, "OptState": OptState, "_refresh_per_optimizer_state": _refresh_per_optimizer_state}
place("cuda.amp.grad_scaler", _PARTS)
place("cuda.amp.autocast_mode", {"autocast": autocast, "custom_bwd": custom_bwd, "custom_fwd": custom_fwd})
