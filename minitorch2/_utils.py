"""torch._utils: the functions in it that packages use, most of them on lists of tensors of one dtype."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import cuda
from .core.absent import absent_names
from .core.device import device as Device
from .core.dtypes import dtype as Dtype
from .functions import cat
from .tensor import Tensor
from .utils.data.worker import CaughtException as ExceptionWrapper

__all__ = ["ExceptionWrapper", "classproperty", "is_compiling", "render_call"]


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All elements, one tensor after the other: (n,)."""
    return cat([t.reshape(-1) for t in tensors]) if len(tensors) != 1 else tensors[0].reshape(-1)


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of flat (n,) with the shapes of these."""
    parts = flat.split([t.numel() for t in tensors])
    return tuple(part.view(t.shape) for part, t in zip(parts, tensors, strict=True))


def _take_tensors(tensors: Iterable[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Lists of tensors of one type, each, but the last of its type, of size_limit bytes at least."""
    gathered: dict[str, tuple[list[Tensor], int]] = {}
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        these, so_far = gathered.get(tensor.type(), ([], 0))
        if so_far + size > size_limit and so_far > 0:
            yield these
            these, so_far = [], 0
        gathered[tensor.type()] = [*these, tensor], so_far + size
    yield from (these for these, _ in gathered.values() if these)


def _import_dotted_name(name: str) -> Any:
    """The object of this path: a module, or an attribute of one."""
    first, *rest = name.split(".")
    found = importlib.import_module(first)
    for part in rest:
        found = getattr(found, part)
    return found


def _element_size(dtype: Dtype) -> int:
    """The bytes of one element."""
    if not isinstance(dtype, Dtype):
        raise RuntimeError(f"expected torch.dtype, but got {type(dtype)}")
    return dtype.itemsize


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int:
    """The number of a GPU, given as that, as text or as a device; -1 for the CPU where it is allowed. optional: of the
    current one for None, or for a device without a number."""
    if isinstance(device, str):
        device = Device(device)
    if isinstance(device, Device):
        if device.type == "cpu" and not allow_cpu:
            raise ValueError(f"Expected a non cpu device, but got: {device}")
        device = -1 if device.type == "cpu" else device.index
    if device is None:
        if not optional:
            raise ValueError("Expected a torch.device with a specified index or an integer, but got:None")
        return cuda.current_device() if cuda.is_available() else -1
    return device


def _get_all_device_indices() -> list[int]:
    """The numbers of all GPUs."""
    return list(range(cuda.device_count()))


def _get_available_device_type() -> str | None:
    """ "cuda" where there is a GPU, else None."""
    return "cuda" if cuda.is_available() else None


def render_call(fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """A call as it would be written."""
    named = [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"{getattr(fn, '__name__', fn)}({', '.join([*map(repr, args), *named])})"


def is_compiling() -> bool:
    """False: nothing is ever compiled."""
    return False


class classproperty:
    """A property of a class: the decorated function gets the class."""

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.func(owner)


__getattr__ = absent_names("_utils", "minitorch2 has no such part of PyTorch")
