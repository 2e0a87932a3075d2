"""skip_init: a module without first values. Source: torch's page "torch.nn.utils.skip_init"."""

from __future__ import annotations

import inspect
from typing import Any

from ...random import fork_rng
from ..modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """module_cls(*args, **kwargs), on `device` if given, with parameters and buffers of undefined values.

    The class must take `device`, for parameters made in its constructor. No random numbers are used up. (There is no
    meta device here: values are drawn, and thrown away.) RuntimeError for what is no such class.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    with fork_rng():
        module = module_cls(*args, device="cpu", **kwargs)
    return module.to_empty(device=device)
