"""torch.nn.attention: the choice of a kernel for scaled_dot_product_attention. There is one here; the choice is kept
and given back, and the results are the same."""

from __future__ import annotations

import contextlib
import importlib
from enum import Enum
from typing import Any

from ...core.absent import as_absent
from ...settings import attention_kernels

__all__ = ["WARN_FOR_UNFUSED_KERNELS", "SDPBackend", "sdpa_kernel"]

WARN_FOR_UNFUSED_KERNELS = False


class SDPBackend(Enum):
    """torch's kernels."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __int__(self) -> int:
        return self.value


_SWITCHES = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


@contextlib.contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False):
    """Inside the block these kernels, and no others, count as switched on (torch.backends.cuda.math_sdp_enabled())."""
    if not isinstance(backends, list | SDPBackend):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    before = dict(attention_kernels)
    attention_kernels.update({name: backend in chosen for name, backend in _SWITCHES.items()})
    try:
        yield {}
    finally:
        attention_kernels.update(before)


as_absent("nn.attention.flex_attention", "nn.attention.varlen")


def __getattr__(name: str) -> Any:
    """bias is imported when first asked for: it needs tensors."""
    if name == "bias":
        return importlib.import_module(".bias", __name__)
    raise AttributeError(f"module 'minitorch2.nn.attention' has no attribute '{name}'")
