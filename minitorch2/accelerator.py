"""torch.accelerator: the one kind of accelerator there is, an NVIDIA GPU, without naming it."""

from __future__ import annotations

from typing import Any

from . import cuda
from .core.device import device


def is_available() -> bool:
    """Whether there is a GPU."""
    return cuda.is_available()


def current_accelerator(check_available: bool = False) -> device | None:
    """device("cuda") where there is a GPU, else None."""
    return device("cuda") if cuda.is_available() else None


def device_count() -> int:
    """How many GPUs there are."""
    return cuda.device_count()


def current_device_index() -> int:
    """The number of the GPU that is current."""
    return cuda.current_device()


def set_device_index(device: Any) -> None:
    """Makes this GPU the current one."""
    cuda.set_device(device)


def synchronize(device: Any = None) -> None:
    """Waits for all that was launched on a GPU."""
    cuda.synchronize(device)


__all__ = [
    "current_accelerator",
    "current_device_index",
    "device_count",
    "is_available",
    "set_device_index",
    "synchronize",
]
