"""torch.distributed where there is none: a program that asks finds out and goes on in one process."""

from __future__ import annotations

import enum

from .core.absent import absent, absent_names, as_absent
from .core.placing import place


def is_available() -> bool:
    """False: there is one process here."""
    return False


def is_initialized() -> bool:
    """False: there is no process group."""
    return False


is_torchelastic_launched = is_initialized


# How processes would put their tensors together: packages have one of these as a default.
ReduceOp = enum.Enum("ReduceOp", "SUM AVG PRODUCT MIN MAX BAND BOR BXOR PREMUL_SUM", start=0)

# whose classes nothing is an instance of
as_absent("distributed.tensor", "distributed.optim", "distributed.nn", "distributed.device_mesh", "distributed.fsdp")
as_absent("distributed._tensor", "distributed._tensor.experimental")
as_absent("distributed._composable", "distributed._composable.fsdp")
_CALLS = ("init_rpc", "shutdown", "rpc_sync", "rpc_async", "remote", "get_worker_info", "method_factory")
_KINDS = ("RRef", "PyRRef", "WorkerInfo", "RpcBackendOptions", "TensorPipeRpcBackendOptions", "BackendType")
place("distributed.rpc", absent("distributed.rpc", "there is one process here", _CALLS, _KINDS))
place("distributed.rpc", {"is_available": is_available})

__getattr__ = absent_names("distributed", "one machine, one process; ask is_available() first")

__all__ = ["ReduceOp", "is_available", "is_initialized", "is_torchelastic_launched"]
