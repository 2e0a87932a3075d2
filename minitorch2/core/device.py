"""torch.device: where a tensor's numbers live, and how they get there.

On the CPU they are a NumPy array, on a GPU a CuPy array, and on the meta device (meta.py) there are none. CuPy is
imported when a program first asks for a GPU.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np

from minitorch2_kernels import dispatch

from . import meta
from .memory_order import memory_order, transposed_back

# What torch.device() takes for a name. Tensors are made on the first two and on meta; the others are for comparing.
_TYPES = ("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla")
_TYPES += ("lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone")


class device:
    """`device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`; equal by type and index, hashable.

    `with device("cuda"):` makes it the default device for the block.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device | int, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type  # torch: a bare number means the current accelerator
        if not isinstance(type, str):
            from .variable import type_name

            raise TypeError(f"device(): argument 'type' must be str, int or device, not {type_name(type)}")
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise RuntimeError(f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}")
        if colon:
            if index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed: {type}")
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + ("" if self.index is None else f", index={self.index}") + ")"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self):
        return (device, (str(self),))

    def __enter__(self) -> device:
        _here.left.append(_here.default)
        set_default(self)
        return self

    def __exit__(self, *exc) -> None:
        _here.default = _here.left.pop()


CPU, META = device("cpu"), device("meta")


class NoGPU(RuntimeError, AssertionError):
    """No GPU can be had: an AssertionError in PyTorch where it was built without CUDA."""


@functools.cache
def cupy() -> Any:
    """The module CuPy, with the kernels for its arrays registered; RuntimeError where no GPU can be had."""
    try:
        import cupy as module
    except ImportError as error:
        raise NoGPU(
            "Torch not compiled with CUDA enabled: minitorch2 computes on a GPU with CuPy, which is not installed: "
            f"pip install 'minitorch2[cuda]', or use device='cpu' ({error})"
        ) from None
    if not module.is_available():
        raise RuntimeError(
            "Found no NVIDIA driver on your system, or no GPU that CuPy can use (torch.cuda.is_available() is False). "
            "Please check that you have an NVIDIA GPU and installed its driver, or use device='cpu'"
        )
    dispatch.admit(module.ndarray)
    import minitorch2_kernels.cuda  # noqa: F401  (registers the kernels)

    return module


def has_gpu() -> bool:
    """Whether a GPU can be had, without an error where not."""
    try:
        cupy()
    except RuntimeError:
        return False
    return True


def check_available(where: device | str | int | None) -> device:
    """The device asked for, with its number, or an error that says why it cannot be had. None: the default device."""
    if where is None:
        return _here.default
    if not isinstance(where, device | str | int):
        raise TypeError(f"argument 'device' must be torch.device, str or int, not {type(where).__name__}")
    if isinstance(where, int) and not has_gpu():
        raise RuntimeError(
            "Cannot access accelerator device when none is available. Use device='cpu', or install minitorch2[cuda] "
            "where there is a GPU"
        )
    found = where if isinstance(where, device) else device(where)
    if found.type == "cpu":
        return CPU
    if found.type == "meta":
        return META
    if found.type != "cuda":
        raise RuntimeError(f"minitorch2 computes on the devices cpu and cuda; there is no '{found.type}' here")
    runtime = cupy().cuda.runtime
    if found.index is None:
        return device("cuda", runtime.getDevice())
    if found.index >= runtime.getDeviceCount():
        raise RuntimeError(
            f"CUDA error: invalid device ordinal: '{found}' was asked for; there are {runtime.getDeviceCount()} GPUs"
        )
    return found


class _Here(threading.local):
    """Where this thread makes tensors."""

    def __init__(self) -> None:
        self.default = CPU
        self.left: list[device] = []  # the defaults outside the `with device(...)` blocks around, the innermost last


_here = _Here()


def set_default(where: device | str | int | None) -> None:
    """Where tensors are made that are made nowhere in particular; None: the CPU."""
    _here.default = CPU if where is None else check_available(where)


def get_default() -> device:
    return _here.default


def device_of(array) -> device:
    """Where this array lies."""
    if type(array) is meta.MetaArray:
        return META
    return CPU if isinstance(array, np.ndarray | np.generic) else device("cuda", array.device.id)


def module_on(where: device) -> Any:
    """The module that makes arrays there: numpy, cupy, or what does as if."""
    if where.type == "meta":
        return meta.module
    return np if where.type == "cpu" else cupy()


def moved(array, where: device):
    """The array there: itself if that is where it lies, else a copy."""
    here = device_of(array)
    if here == where:
        return array
    if where == META:
        return meta.described(array)
    if here == META:
        raise NotImplementedError(meta.NO_DATA)
    if where.type != "cpu":
        return cupy().asarray(array)
    if array.flags.c_contiguous:
        return array.get()
    axes = memory_order(array)  # which get() does not keep
    return transposed_back(array.transpose(axes).get(), axes)


def like(values, array):
    """`values`, from Python or NumPy, where `array` lies."""
    if type(array) is meta.MetaArray:
        return meta.described(np.asarray(values))
    if isinstance(array, np.ndarray | np.generic) or dispatch.on_device(values):
        return values
    return cupy().asarray(values)


def describe_mismatch(op: str, arrays) -> str:
    """torch's sentence on arrays that lie in different places."""
    places = list(dict.fromkeys(str(device_of(a)) for a in arrays))
    return (
        f"Expected all tensors to be on the same device, but found at least two devices, {' and '.join(places)}! "
        f"(in {op}; move one with .to(device))"
    )
