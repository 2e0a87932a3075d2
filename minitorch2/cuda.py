"""torch.cuda, as it answers where there is no GPU: this version computes on the CPU only."""

from __future__ import annotations


def is_available() -> bool:
    """Whether tensors can live on a GPU."""
    return False


def device_count() -> int:
    """How many GPUs tensors can live on."""
    return 0


def manual_seed(seed) -> None:
    """Seeds the current GPU's generator; without a GPU, nothing, as in torch."""


def manual_seed_all(seed) -> None:
    """Seeds all GPUs' generators; without a GPU, nothing, as in torch."""


def __getattr__(name: str):
    raise AttributeError(
        f"minitorch2.cuda.{name} is not supported: this version computes on the CPU only (cuda.is_available() is False)"
    )
