"""The GPUs there are, which one is current, what they are, and waiting for them.

Source: torch's page "torch.cuda". CuPy is imported when a function first needs a GPU.
"""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

from ..core import device as core
from ..core.variable import Variable


def is_available() -> bool:
    """Whether tensors can live on a GPU: CuPy is installed, and there is a driver with a device."""
    return (is_initialized() or importlib.util.find_spec("cupy") is not None) and core.has_gpu()


def is_initialized() -> bool:
    """Whether this program has used a GPU yet."""
    return core.cupy.cache_info().currsize > 0


def init() -> None:
    """Gets ready for the GPU; RuntimeError where there is none. Nobody needs to call it."""
    runtime()


def runtime() -> Any:
    """CuPy's functions of the CUDA runtime; RuntimeError, which says what to install, where no GPU can be had."""
    return core.cupy().cuda.runtime


def device_count() -> int:
    """How many GPUs tensors can live on."""
    return runtime().getDeviceCount() if is_available() else 0


def index_of(device: Any = None) -> int:
    """The number of the GPU that a `device` argument means: an int, a string, a torch.device; None is the current one.

    ValueError for the CPU, RuntimeError for a GPU that is not there.
    """
    if device is None:
        return runtime().getDevice()
    found = device if isinstance(device, core.device) else core.device(device)
    if found.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {found}")
    return core.check_available(found).index or 0


def current_device() -> int:
    """The number of the GPU that "cuda" means now."""
    return runtime().getDevice()


def set_device(device: Any) -> None:
    """Makes "cuda" mean this GPU in this thread; a negative number changes nothing."""
    if isinstance(device, int) and device < 0:
        return
    runtime().setDevice(index_of(device))


class device:
    """`with device(1):` makes "cuda" mean that GPU inside; None or a negative number changes nothing."""

    def __init__(self, device: Any):
        self.idx = -1 if device is None or (isinstance(device, int) and device < 0) else index_of(device)
        self.prev_idx = -1

    def __enter__(self):
        if self.idx >= 0:
            self.prev_idx = runtime().getDevice()
            if self.prev_idx != self.idx:
                runtime().setDevice(self.idx)

    def __exit__(self, *exc):
        if self.idx >= 0 and self.prev_idx != self.idx:
            runtime().setDevice(self.prev_idx)
        return False


class device_of(device):
    """`with device_of(tensor):` makes "cuda" mean the GPU the tensor lives on; for one on the CPU, nothing."""

    def __init__(self, obj: Any):
        where = core.device_of(obj._data) if isinstance(obj, Variable) else core.CPU
        super().__init__(where if where.type == "cuda" else None)


def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done all it was given."""
    core.cupy().cuda.Device(index_of(device)).synchronize()


class _DeviceProperties(SimpleNamespace):
    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory >> 20}MB, multi_processor_count={self.multi_processor_count}, "
            f"L2_cache_size={self.L2_cache_size >> 20}MB)"
        )


_PROPERTIES = {  # torch's names -> the CUDA runtime's
    "major": "major",
    "minor": "minor",
    "total_memory": "totalGlobalMem",
    "multi_processor_count": "multiProcessorCount",
    "is_integrated": "integrated",
    "is_multi_gpu_board": "isMultiGpuBoard",
    "max_threads_per_multi_processor": "maxThreadsPerMultiProcessor",
    "max_threads_per_block": "maxThreadsPerBlock",
    "warp_size": "warpSize",
    "regs_per_multiprocessor": "regsPerMultiprocessor",
    "shared_memory_per_block": "sharedMemPerBlock",
    "shared_memory_per_block_optin": "sharedMemPerBlockOptin",
    "shared_memory_per_multiprocessor": "sharedMemPerMultiprocessor",
    "L2_cache_size": "l2CacheSize",
    "pci_bus_id": "pciBusID",
    "pci_device_id": "pciDeviceID",
    "pci_domain_id": "pciDomainID",
}


def get_device_properties(device: Any = None) -> Any:
    """What a GPU is: an object with name, major, minor, total_memory (bytes), multi_processor_count, ..."""
    found = runtime().getDeviceProperties(index_of(device))
    values = {ours: found[theirs] for ours, theirs in _PROPERTIES.items() if theirs in found}
    return _DeviceProperties(name=found["name"].decode(), **values)


def get_device_name(device: Any = None) -> str:
    """The GPU's name."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The GPU's compute capability: (9, 0) for an H100."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the GPU computes in bfloat16; without `including_emulation`, whether it has instructions for it."""
    return is_available() and (including_emulation or get_device_capability()[0] >= 8)


def is_tf32_supported() -> bool:
    """Whether the GPU has instructions for TF32."""
    return is_bf16_supported(including_emulation=False)


def get_arch_list() -> list[str]:
    """The architectures there is code for: those of the GPUs at hand, since kernels are compiled when first called."""
    return sorted({"sm_{}{}".format(*get_device_capability(index)) for index in range(device_count())})
