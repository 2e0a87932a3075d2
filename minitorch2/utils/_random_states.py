"""Where the random numbers of a checkpoint's devices stand, to be drawn once more.

Source: torch's page "torch.utils.checkpoint".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import cuda
from ..accelerator import current_accelerator
from ..core.cuda_generator import cuda_generator
from ..random import default_generator
from ..tensor import Tensor

__all__ = ["DefaultDeviceType", "generators_of", "get_device_states", "set_device_states"]


def generators_of(args: Any) -> list[Any]:
    """The default generators of the CPU and of every GPU that holds one of these tensors."""
    gpus = set(_gpus(args))
    if gpus and cuda.is_current_stream_capturing():
        raise NotImplementedError(
            "minitorch2: checkpoint() cannot rewind the random numbers of a CUDA graph that is being captured; "
            "pass preserve_rng_state=False if the function draws none."
        )
    return [default_generator, *map(cuda_generator, sorted(gpus))]


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The GPU's number of each tensor on one, in any nesting of lists, tuples and dicts, and its generator's state."""
    gpus = list(_gpus(args))
    return gpus, [cuda.get_rng_state(gpu) for gpu in gpus]


def set_device_states(devices: Iterable[int], states: Iterable[Tensor], *, device_type: str | None = None) -> None:
    """Goes on from what get_device_states gave. NotImplementedError for a device_type other than cuda."""
    device_type = DefaultDeviceType.get_device_type() if device_type is None else device_type
    if device_type == "meta":
        return
    for device, state in zip(devices, states, strict=False):
        if device_type != "cuda":
            raise NotImplementedError(f"minitorch2: set_device_states for {device_type} is not supported")
        cuda.set_rng_state(state, device)


class DefaultDeviceType:
    """The type of device that set_device_states means unless told: cuda where there is a GPU, else cpu."""

    _chosen: str | None = None

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Makes it another, for the whole program."""
        DefaultDeviceType._chosen = device

    @staticmethod
    def get_device_type() -> str:
        """The one it is."""
        found = current_accelerator(True)
        return DefaultDeviceType._chosen or (found.type if found is not None else "cpu")


def _gpus(value: Any) -> Iterator[int]:
    if isinstance(value, Tensor):
        if value.is_cuda:
            yield value.get_device()
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _gpus(item)
