"""torch.nn.parallel: DataParallel on at most one GPU. Several GPUs and several processes are not supported."""

from ...core.absent import absent
from ...core.placing import place
from .data_parallel import DataParallel, data_parallel
from .refused import DistributedDataParallel

_PARTS = absent(
    "nn.parallel", "one GPU at most; Tensor.chunk and torch.cat are its parts", ("gather", "scatter", "scatter_kwargs")
)
place("nn.parallel.scatter_gather", _PARTS)
for _name in ("replicate", "parallel_apply"):
    _PARTS |= absent("nn.parallel", "one GPU at most; call the module itself", (_name,))
    place(f"nn.parallel.{_name}", {_name: _PARTS[_name]})  # whose name is the function's in this package
globals().update({name: part for name, part in _PARTS.items() if name != "scatter_kwargs"})

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
