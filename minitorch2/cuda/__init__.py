"""torch.cuda: GPUs, their streams, memory and random numbers, and steps captured as CUDA graphs.

Everything can be imported without a GPU. What needs one then raises a RuntimeError that says what to install;
`is_available()` is False, `device_count()` 0, and seeds are accepted.
"""

from __future__ import annotations

import importlib

from minitorch2_kernels.out_of_memory import OutOfMemoryError

from .. import legacy
from .captured_step import CapturedStep, capture_step
from .devices import (
    current_device,
    device,
    device_count,
    device_of,
    get_arch_list,
    get_device_capability,
    get_device_name,
    get_device_properties,
    init,
    is_available,
    is_bf16_supported,
    is_initialized,
    is_tf32_supported,
    set_device,
    synchronize,
)
from .graphs import CUDAGraph, graph, graph_pool_handle, is_current_stream_capturing
from .memory import (
    empty_cache,
    get_per_process_memory_fraction,
    ipc_collect,
    max_memory_allocated,
    max_memory_cached,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_cached,
    memory_reserved,
    memory_stats,
    memory_summary,
    reset_accumulated_memory_stats,
    reset_max_memory_allocated,
    reset_max_memory_cached,
    reset_peak_memory_stats,
    set_per_process_memory_fraction,
)
from .random import (
    get_rng_state,
    get_rng_state_all,
    initial_seed,
    manual_seed,
    manual_seed_all,
    seed,
    seed_all,
    set_rng_state,
    set_rng_state_all,
)
from .streams import Event, Stream, StreamContext, current_stream, default_stream, set_stream, stream


def __getattr__(name: str):
    if name in ("amp", "nvtx"):
        return importlib.import_module(f".{name}", __name__)
    if name.endswith("Tensor") and isinstance(on_cpu := getattr(legacy, name, None), legacy.TensorType):
        return legacy.on_cuda(on_cpu.dtype)
    if name == "_initialized":
        return is_initialized()
    raise AttributeError(
        f"minitorch2.cuda.{name} is not supported. README.md lists what of PyTorch is; here are {', '.join(_OFFERED)}"
    )


_OFFERED = sorted(name for name, value in list(globals().items()) if not name.startswith("_") and callable(value))
