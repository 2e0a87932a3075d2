"""The base of what torch.cuda.amp and torch.cpu.amp have: torch.amp's parts for one device. Deprecated, as in torch."""

from __future__ import annotations

import warnings

from .grad_scaler import GradScaler


def warn_of(device: str, name: str) -> None:
    """torch's warning, at the line that made a `name`."""
    warnings.warn(
        f"`torch.{device}.amp.{name}(args...)` is deprecated. Please use `torch.amp.{name}('{device}', args...)` "
        "instead.",
        FutureWarning,
        stacklevel=3,
    )


class OldGradScaler(GradScaler):
    """torch.amp.GradScaler(the class's device, ...): its arguments but for the device, so that the first is init_scale
    and what is said of wrong ones counts right, as in torch."""

    of_device: str

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warn_of(self.of_device, "GradScaler")
        super().__init__(self.of_device, init_scale, growth_factor, backoff_factor, growth_interval, enabled)
