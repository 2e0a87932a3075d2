"""skip_init: a module without first values. Source: torch's page "torch.nn.utils.skip_init"."""

from __future__ import annotations

import inspect
from typing import Any

from ..modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """module_cls(*args, **kwargs), on `device` if given, with parameters and buffers of undefined values.

    The class must take `device`, for parameters made in its constructor. It is made on the meta device: no random
    numbers are used up. RuntimeError for what is no such class.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
