"""The stand-in's cupy.cuda: one device, and nothing on it that has to be waited for."""

from __future__ import annotations

from types import ModuleType


class Device:
    """As cupy.cuda.Device: a context manager."""

    compute_capability = "90"

    def __init__(self, device=None):
        self.id = 0 if device is None else int(device)
        if self.id:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def use(self):
        return self

    def synchronize(self):
        return None


def furnish(cupy) -> None:
    """Adds `cuda` to the stand-in's module."""
    cuda = cupy.cuda = ModuleType("cupy.cuda")
    cuda.Device = Device
    cuda.runtime = ModuleType("cupy.cuda.runtime")
    cuda.runtime.getDeviceCount = lambda: 1
    cuda.runtime.getDevice = lambda: 0
    cuda.runtime.setDevice = lambda index: Device(index) and None
    cuda.runtime.getDeviceProperties = lambda index: {"name": b"stand-in (no GPU)", "major": 9, "minor": 0}
