"""Switches that programs set for GPUs or for determinism; here is one device, and all ops are deterministic."""

from __future__ import annotations

from types import SimpleNamespace

from minitorch2_kernels import determinism
from minitorch2_kernels import precision as exactness

from .core.device import device, get_default, has_gpu, set_default

_deterministic = {"enabled": False, "warn_only": False}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for ops that repeat bit for bit. The CPU's all do; a GPU's addition at repeated indices then does, by
    sorting them."""
    determinism.required = bool(mode)
    _deterministic.update(enabled=bool(mode), warn_only=bool(mode) and bool(warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was last given."""
    return _deterministic["enabled"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """The warn_only that use_deterministic_algorithms was last given."""
    return _deterministic["warn_only"]


def get_default_device() -> device:
    """Where new tensors are made that name no device: the CPU unless set otherwise."""
    return get_default()


def set_default_device(device) -> None:
    """Where new tensors are made from now on that name no device; None: the CPU. RuntimeError where it is not there."""
    set_default(device)


def set_float32_matmul_precision(precision: str) -> None:
    """With "highest" products of float32 are float32; with "high" and "medium" a GPU may round factors to TF32."""
    exactness.set_float32_matmul(precision)


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was last given."""
    return exactness.float32_matmul()


def _no() -> bool:
    return False


class _Cudnn(SimpleNamespace):
    @property
    def allow_tf32(self) -> bool:
        """Whether convolutions and recurrent layers on a GPU may round float32 factors to TF32."""
        return exactness.layers_allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool):
        exactness.layers_allow_tf32 = bool(allowed)


class _Matmul(SimpleNamespace):
    @property
    def allow_tf32(self) -> bool:
        """Whether products of float32 matrices on a GPU may round factors to TF32."""
        return exactness.allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool):
        exactness.set_float32_matmul("high" if allowed else "highest")


# torch.backends: the attributes that training scripts set and ask for. But for allow_tf32 they rule libraries that are
# not here, and have no more effect than in a torch that was built for the CPU.
backends = SimpleNamespace(
    cudnn=_Cudnn(enabled=True, benchmark=False, deterministic=False, is_available=_no, version=lambda: None),
    cuda=SimpleNamespace(is_built=has_gpu, matmul=_Matmul()),
    mps=SimpleNamespace(is_available=_no, is_built=_no),
)

__all__ = [
    "are_deterministic_algorithms_enabled",
    "backends",
    "get_default_device",
    "get_float32_matmul_precision",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_default_device",
    "set_float32_matmul_precision",
    "use_deterministic_algorithms",
]
