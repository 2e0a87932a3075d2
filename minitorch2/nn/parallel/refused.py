"""What needs several processes, and says so."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Not supported: there are no process groups."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "minitorch2: DistributedDataParallel is not supported, since there are no process groups; train the module "
            "itself, in one process."
        )
