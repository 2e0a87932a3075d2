"""Neural networks: parameters, modules, their functions and their first values."""

from typing import Any

from . import functional, init, modules, parameter, utils
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "functional", "init", "modules", "parameter", "utils"]
__all__ += modules.__all__


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"module 'minitorch2.nn' has no attribute '{name}'. If that is a layer of PyTorch's, it is not "
        "supported here; minitorch2.nn.__all__ lists the layers to build it from."
    )
