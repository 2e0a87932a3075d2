"""torch.distributed where there is none: a program that asks finds out and goes on in one process."""

from __future__ import annotations

from .core.absent import absent_names, as_absent


def is_available() -> bool:
    """False: there is one process here."""
    return False


def is_initialized() -> bool:
    """False: there is no process group."""
    return False


is_torchelastic_launched = is_initialized


# whose classes nothing is an instance of
as_absent("distributed.tensor", "distributed.optim", "distributed.nn", "distributed.device_mesh")

__getattr__ = absent_names("distributed", "one machine, one process; ask is_available() first")

__all__ = ["is_available", "is_initialized", "is_torchelastic_launched"]
