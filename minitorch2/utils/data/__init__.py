"""Datasets, samplers and the DataLoader (torch.utils.data)."""

import re

from ...core.placing import place
from . import collate
from .collate import default_collate, default_convert
from .dataloader import DataLoader
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .distributed import DistributedSampler
from .pinning import pin_memory
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .worker_info import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

place("utils.data._utils")  # torch's inner package, from which programs take the parts of a collate_fn
_parts = {name: value for name, value in vars(collate).items() if name[0] != "_"}
_parts["np_str_obj_array_pattern"] = re.compile("[SaUO]")  # NumPy's kinds that make no tensor
place("utils.data._utils.collate", _parts)
place("utils.data._utils.pin_memory", {"pin_memory": pin_memory})
place("utils.data._utils.worker", {"WorkerInfo": WorkerInfo, "get_worker_info": get_worker_info})
