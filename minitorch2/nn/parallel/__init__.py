"""torch.nn.parallel: DataParallel on at most one GPU. Several GPUs and several processes are not supported."""

from .data_parallel import DataParallel, data_parallel
from .refused import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
