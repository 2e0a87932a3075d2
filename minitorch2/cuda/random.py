"""Seeds and states of the GPUs' generators. Source: torch's page "torch.cuda", section Random Number Generator.

Seeding works without a GPU too, and before one is used: the seed waits.
"""

from __future__ import annotations

from typing import Any

from ..core.cuda_generator import cuda_generator, random_seed
from ..core.cuda_generator import seed_all as _seed_all
from . import devices


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's generator; before a GPU is used, those of all. Without a GPU nothing comes of it."""
    if devices.is_initialized():
        cuda_generator(devices.current_device()).manual_seed(int(seed))
    else:
        _seed_all(int(seed))


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all GPUs. Without a GPU nothing comes of it."""
    _seed_all(int(seed))


def seed() -> None:
    """Seeds the current GPU's generator from the operating system's entropy."""
    manual_seed(random_seed())


def seed_all() -> None:
    """Seeds the generators of all GPUs alike, from the operating system's entropy."""
    manual_seed_all(random_seed())


def initial_seed() -> int:
    """The seed the current GPU's generator began with."""
    return cuda_generator(devices.current_device()).initial_seed()


def get_rng_state(device: Any = "cuda"):
    """The state of a GPU's generator: 16 bytes, in torch's own layout."""
    return cuda_generator(devices.index_of(device)).get_state()


def set_rng_state(new_state, device: Any = "cuda") -> None:
    """Goes on from a state that get_rng_state (or torch's) gave."""
    cuda_generator(devices.index_of(device)).set_state(new_state)


def get_rng_state_all() -> list:
    """The states of all GPUs' generators."""
    return [get_rng_state(index) for index in range(devices.device_count())]


def set_rng_state_all(new_states) -> None:
    """Goes on from states that get_rng_state_all gave."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)
