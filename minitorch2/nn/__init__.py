"""Neural networks: parameters, modules, their functions and their first values."""

import importlib
from typing import Any

from ..core.placing import place
from . import attention, functional, grad, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .modules import CrossMapLRN2d, _sizes  # the one says that it is not supported
from .parallel import DataParallel
from .parallel.refused import DistributedDataParallel  # which says that it is not supported
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Buffer", "DataParallel", "Parameter", "attention", "functional", "grad", "init", "modules", "parallel"]
__all__ += ["parameter", "utils"]
__all__ += ["UninitializedBuffer", "UninitializedParameter"]
__all__ += modules.__all__

place("nn.parallel.distributed", {"DistributedDataParallel": DistributedDataParallel})
place("nn.common_types", _sizes.common_types())


def __getattr__(name: str) -> Any:
    if name == "_reduction":
        return importlib.import_module("._reduction", __name__)
    raise AttributeError(
        f"module 'minitorch2.nn' has no attribute '{name}'. If that is a layer of PyTorch's, it is not "
        "supported here; minitorch2.nn.__all__ lists the layers to build it from."
    )
