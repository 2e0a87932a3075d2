"""Neural networks: parameters, modules, their functions and their first values."""

from typing import Any

from . import functional, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .parallel import DataParallel
from .parallel.refused import SyncBatchNorm  # says that it is not supported
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Buffer", "DataParallel", "Parameter", "functional", "init", "modules", "parallel", "parameter", "utils"]
__all__ += ["UninitializedBuffer", "UninitializedParameter"]
__all__ += modules.__all__


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"module 'minitorch2.nn' has no attribute '{name}'. If that is a layer of PyTorch's, it is not "
        "supported here; minitorch2.nn.__all__ lists the layers to build it from."
    )
