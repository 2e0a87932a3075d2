"""What needs several processes, and says so."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module

__all__ = ["DistributedDataParallel", "SyncBatchNorm"]


class DistributedDataParallel(Module):
    """Not supported: there are no process groups."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "minitorch2: DistributedDataParallel is not supported, since there are no process groups; train the module "
            "itself, in one process."
        )


class SyncBatchNorm(Module):
    """Not supported: it takes its statistics over several processes."""

    _REFUSAL = (
        "minitorch2: SyncBatchNorm is not supported, since there are no process groups; in one process BatchNorm1d, "
        "2d or 3d computes the same."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(self._REFUSAL)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Not supported, as the class."""
        raise NotImplementedError(cls._REFUSAL)
