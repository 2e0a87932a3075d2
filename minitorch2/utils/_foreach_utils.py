"""torch.utils._foreach_utils: tensors by device and dtype, as the optimizers of packages sort them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.device import device
from ..core.dtypes import dtype
from ..tensor import Tensor

_SUPPORTED = ("cpu", "cuda")


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Where torch._foreach_add and its kin gain something: on a GPU."""
    return ["cuda"]


def _get_fused_kernels_supported_devices() -> list[str]:
    """Where an optimizer takes fused=True."""
    return list(_SUPPORTED)


def _device_has_foreach_support(device: device) -> bool:
    return device.type in _SUPPORTED


def _has_foreach_support(tensors: Sequence[Tensor | None], device: device) -> bool:
    return _device_has_foreach_support(device) and all(t is None or type(t) is Tensor for t in tensors)


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Any]], with_indices: bool = False
) -> dict[tuple[device, dtype], tuple[list[list[Any]], list[int]]]:
    """{(device, dtype): (each list's part, the places they were at)}, by the tensors of the first list. The others are
    as long, and stand for the same parameters, or are empty; the places only with_indices. RuntimeError for a list of
    another length, and for a first one that is empty or lacks a tensor."""
    first = tensorlistlist[0] if tensorlistlist else ()
    if not first or any(each and len(each) != len(first) for each in tensorlistlist):
        raise RuntimeError("_group_tensors_by_device_and_dtype: expected lists of one length, the others may be empty")
    if any(tensor is None for tensor in first):
        raise RuntimeError("Tensors of the first list of nested Tensor lists are supposed to be defined")
    groups: dict[Any, tuple[list[list[Any]], list[int]]] = {}
    for place, tensor in enumerate(first):
        parts, places = groups.setdefault((tensor.device, tensor.dtype), ([[] for _ in tensorlistlist], []))
        for part, whole in zip(parts, tensorlistlist, strict=True):
            if whole:
                part.append(whole[place])
        if with_indices:
            places.append(place)
    return groups
