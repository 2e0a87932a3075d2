"""The functions of the torch namespace that read and set autocast's switches, each for the thread that calls it."""

from __future__ import annotations

import warnings
from typing import Any

from ..core import autocast as core
from ..core.device import device
from ..core.dtypes import dtype as Dtype

__all__ = [
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_autocast_gpu_dtype",
]


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether a region is open for "cpu" or "cuda", which is the default; never for other devices."""
    return getattr(core.state, _type("cuda" if device_type is None else device_type), False)


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Opens or closes a region by hand: (device type, bool), or a bool alone for CUDA. autocast() does it by itself."""
    if enabled is None and isinstance(device_type, bool):
        device_type, enabled = "cuda", device_type
    if not isinstance(enabled, bool):
        raise TypeError(
            f"set_autocast_enabled(): argument 'enabled' (position 2) must be bool, not {type(enabled).__name__}"
        )
    core.enable(_type(device_type), enabled)


def get_autocast_dtype(device_type: str) -> Dtype:
    """The lower dtype that a region for this type of device uses: at first bfloat16 on the CPU, float16 on CUDA."""
    return core.state.lower[_type(device_type)]


def set_autocast_dtype(device_type: str, dtype: Dtype) -> None:
    """Sets what get_autocast_dtype returns."""
    if not isinstance(dtype, Dtype):
        raise TypeError(
            f"set_autocast_dtype(): argument 'dtype' (position 2) must be torch.dtype, not {type(dtype).__name__}"
        )
    core.state.lower[_type(device_type)] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether the casts of parameters are kept until the outermost region is left."""
    return core.state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Sets what is_autocast_cache_enabled returns."""
    core.state.cache_enabled = bool(enabled)


def clear_autocast_cache() -> None:
    """Forgets the casts of parameters."""
    core.state.casts.clear()


def autocast_increment_nesting() -> int:
    """Says that a region inside the present one begins; returns how deep they are."""
    core.state.nesting += 1
    return core.state.nesting


def autocast_decrement_nesting() -> int:
    """Says that the innermost region ends; returns how deep they are then."""
    core.state.nesting -= 1
    return core.state.nesting


def _type(device_type: str) -> str:
    return device(device_type).type


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"torch.{old} is deprecated. Please use torch.{new} instead.", DeprecationWarning, stacklevel=3)


def is_autocast_cpu_enabled() -> bool:
    """Deprecated: is_autocast_enabled("cpu")."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Deprecated: set_autocast_enabled("cpu", enabled)."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> Dtype:
    """Deprecated: get_autocast_dtype("cpu")."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> Dtype:
    """Deprecated: get_autocast_dtype("cuda")."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_cpu_dtype(dtype: Dtype) -> None:
    """Deprecated: set_autocast_dtype("cpu", dtype)."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def set_autocast_gpu_dtype(dtype: Dtype) -> None:
    """Deprecated: set_autocast_dtype("cuda", dtype)."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)
