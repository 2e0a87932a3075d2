"""Switches that programs set for GPUs or for determinism; here is one device, and all ops are deterministic."""

from __future__ import annotations

from types import SimpleNamespace

from .core.device import CPU, check_available, device

_deterministic = {"enabled": False, "warn_only": False}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for deterministic ops. All of them are, with or without."""
    _deterministic.update(enabled=bool(mode), warn_only=bool(mode) and bool(warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was last given."""
    return _deterministic["enabled"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """The warn_only that use_deterministic_algorithms was last given."""
    return _deterministic["warn_only"]


def get_default_device() -> device:
    """Where new tensors are made: the CPU."""
    return CPU


def set_default_device(device) -> None:
    """Accepts the CPU; RuntimeError for a device that is not there."""
    check_available(device)


def set_float32_matmul_precision(precision: str) -> None:
    """Accepts "highest", "high" and "medium". Products of float32 are float32 here, which all three allow."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision!r} is not one of 'highest', 'high', 'medium'")
    _matmul["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was last given."""
    return _matmul["precision"]


_matmul = {"precision": "highest"}


def _no() -> bool:
    return False


# torch.backends: the attributes that training scripts set and ask for. They rule libraries that are not here, and have
# no more effect than in a torch that was built for the CPU.
backends = SimpleNamespace(
    cudnn=SimpleNamespace(
        enabled=True, benchmark=False, deterministic=False, allow_tf32=True, is_available=_no, version=lambda: None
    ),
    cuda=SimpleNamespace(is_built=_no, matmul=SimpleNamespace(allow_tf32=False)),
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
