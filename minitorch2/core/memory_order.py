"""In which order the dims of a tensor lie in memory. torch fills tensors with random numbers in that order, and gives a
result the order of its inputs: so the numbers that one seed gives depend on it, and whether a view is possible.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch2_kernels.dispatch import is_array, namespace
from minitorch2_kernels.reference.arithmetic import LONG
from minitorch2_kernels.reference.cast import BFLOAT16
from minitorch2_kernels.reference.copying import ascontiguousarray, copy_to


def axes_in_order(shape: Sequence[int], *strides: Sequence[int]) -> list[int]:
    """The axes from the slowest to the fastest in memory, by the strides of one operand or more, the first going before
    the others. A stride of 0 (a broadcast dim) says nothing; where nothing decides, the axes stay as they are.

    As torch orders the dims of a result; source: its TensorIterator's reorder_dimensions.
    """
    order = list(range(len(shape)))
    for i in reversed(range(len(shape))):  # each axis changes places with those behind it that are slower
        for j in range(i + 1, len(shape)):
            slower = _slower(shape, strides, order[j], order[i])
            if slower > 0:
                order[i], order[j] = order[j], order[i]
                i = j
            elif slower < 0:
                break
    return order


def _slower(shape, strides, a: int, b: int) -> int:
    """1 if axis a is slower in memory than b, -1 if it is faster, 0 where the strides do not tell."""
    if shape[a] == 1 or shape[b] == 1:
        return 0
    for of_operand in strides:
        first, second = of_operand[a], of_operand[b]
        if first == 0 or second == 0:
            continue
        if first != second:
            return 1 if first > second else -1
        if shape[a] > shape[b]:
            return 1
    return 0


def memory_order(array) -> list[int]:
    """The axes of `array` from the slowest to the fastest in memory.

    torch fills a tensor in that order: `view = a.transpose(memory_order(a)); view[...] =
    g.uniform(view.shape, ...)`.
    """
    if array.flags.c_contiguous and array.size:  # most are; an empty array has both flags, whatever its strides
        return list(range(array.ndim))
    return axes_in_order(array.shape, array.strides)


def transposed_back(view, axes: Sequence[int]) -> Any:
    """The array of which `view` is array.transpose(axes)."""
    return view.transpose(sorted(range(len(axes)), key=axes.__getitem__))


CHANNELS_LAST = (0, 2, 3, 1)  # the axes of images (N, C, H, W) in torch.channels_last, from the slowest to the fastest


def is_channels_last(array) -> bool:
    """Whether these images, 4 dims, count as channels_last for an op whose result follows its input. Where sizes of 1
    leave it open, the strides decide as in torch (is_channels_last_strides_2d)."""
    strides = array.strides
    if array.ndim != 4 or strides[1] > strides[3] or strides[1] == 0 or not array.size:  # no of most images, and soon
        return False
    least = 0
    for axis in reversed(CHANNELS_LAST):
        if strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * array.shape[axis]
    return True


def empty_in_order(xp: Any, shape: Sequence[int], axes: Sequence[int], dtype) -> Any:
    """An uninitialised array of this shape without gaps, its axes in this order from the slowest to the fastest."""
    return transposed_back(xp.empty([shape[axis] for axis in axes], dtype), axes)


def copy_in_order(array, axes: Sequence[int]) -> Any:
    """A copy without gaps, its axes in this order from the slowest to the fastest."""
    if array.dtype == BFLOAT16:  # a structured dtype, which CuPy moves as bytes only
        return copy_in_order(array.view(np.uint16), axes).view(BFLOAT16)
    copy = empty_in_order(namespace(array), array.shape, axes, array.dtype)
    copy_to(copy, array)
    return copy


def broadcast_strides(array) -> list[int]:
    """Its strides as one of several operands: 0 for dims of size 1."""
    return [0 if n == 1 else stride for n, stride in zip(array.shape, array.strides, strict=True)]


def empty_like(array, dtype) -> Any:
    """An uninitialised array without gaps in the order of this one: torch.preserve_format."""
    xp = namespace(array)
    if 0 not in array.strides:
        return xp.empty_like(array, dtype=dtype, order="K")
    return empty_in_order(xp, array.shape, memory_order(array), dtype)


def copy_like(array) -> Any:
    """A copy without gaps in the order of this array."""
    if array.flags.c_contiguous:
        return copied(array)
    if 0 not in array.strides and array.size < LONG:
        return array.copy(order="K")
    return copy_in_order(array, memory_order(array))


def can_view(array, shape: Sequence[int]) -> bool:
    """Whether the elements have the same order under another shape of as many, without a copy."""
    return array.flags.c_contiguous or array.size == 0 or _regular(array.shape, array.strides, tuple(shape))


@functools.lru_cache(maxsize=1024)
def _regular(have: tuple[int, ...], strides: tuple[int, ...], want: tuple[int, ...]) -> bool:
    """can_view: whether the dims that one of `want` crosses follow one another without gaps."""
    sizes = [n for n in reversed(want) if n != 1]
    dims = [(n, stride) for n, stride in zip(reversed(have), reversed(strides), strict=True) if n != 1]
    inner = outer = 1  # how many elements the dims hold that were taken from either
    for i, (n, stride) in enumerate(dims):
        inner *= n
        while sizes and outer * sizes[0] <= inner:
            outer *= sizes.pop(0)
        if outer != inner and (i + 1 == len(dims) or dims[i + 1][1] != n * stride):
            return False
    return True


def copied(array) -> Any:
    """A copy in row-major order without gaps."""
    if type(array) is not np.ndarray or array.size < LONG:
        return array.copy()
    copy = np.empty(array.shape, array.dtype)
    copy_to(copy, array)
    return copy


def in_c_order(array) -> Any:
    """The array itself if it lies in row-major order without gaps (a number does), else a copy that does."""
    if not is_array(array) or array.flags.c_contiguous:
        return array
    if array.dtype == BFLOAT16:  # a structured dtype, of which CuPy makes no contiguous copy
        return ascontiguousarray(array.view(np.uint16)).view(BFLOAT16)
    return ascontiguousarray(array)


def reshaped(array, shape: Sequence[int]) -> Any:
    """array.reshape(shape), by way of in_c_order where it may have to be copied."""
    return array.reshape(shape) if can_view(array, shape) else in_c_order(array).reshape(shape)


def as_rows(array, dims: int = 1) -> Any:
    """An array (..., d1, ...) as rows of its last `dims` dims: (R, D)."""
    if dims == 1 and array.ndim == 2:
        return array
    first = array.ndim - dims
    return reshaped(array, (math.prod(array.shape[:first]), math.prod(array.shape[first:])))


def in_order_of(result, operands) -> Any:
    """An elementwise op's result as torch lays it out: itself, or a copy. operands: arrays, and others."""
    arrays = [a for a in operands if is_array(a)]
    if all(a.flags.c_contiguous for a in arrays):
        return in_c_order(result)
    strides = [[0] * (result.ndim - a.ndim) + broadcast_strides(a) for a in arrays]
    axes = axes_in_order(result.shape, *strides)
    return result if result.transpose(axes).flags.c_contiguous else copy_in_order(result, axes)


def owner_of(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one is a view of: the last one down the chain of bases that contains it."""
    low, high = np.lib.array_utils.byte_bounds(array)
    owner, base = array, array.base
    while base is not None:
        if isinstance(base, np.ndarray) and base.size and min(base.strides, default=0) >= 0:
            base_low, base_high = np.lib.array_utils.byte_bounds(base)
            if base_low <= low and high <= base_high:
                owner = base
        base = getattr(base, "base", None)
    return owner


def memory_of(array) -> Any:
    """The array that an array is a view of, if it has the same dtype: what torch calls its storage. Else itself."""
    if not array.size:
        return array
    if type(array) is np.ndarray:
        owner = owner_of(array)
    else:
        owner = array if getattr(array, "base", None) is None else array.base
    return owner if getattr(owner, "dtype", None) == array.dtype else array


def address_of(array) -> int:
    """Where its first element lies."""
    return array.__array_interface__["data"][0] if isinstance(array, np.ndarray) else array.data.ptr


def copy_with_memory(array, copies: dict) -> Any:
    """A copy of the array, as a view of a copy of all its memory: so torch copies storages. `copies` remembers these,
    and arrays that look into one memory still do. Alone is copied what is on a GPU, or in a memory of another dtype, a
    file's."""
    if type(array) is not np.ndarray or not array.size or min(array.strides, default=0) < 0:
        return array.copy(order="K")
    owner = owner_of(array)
    if owner.dtype != array.dtype:
        return array.copy(order="K")
    low, high = np.lib.array_utils.byte_bounds(owner)
    memory = copies.get((low, high))
    if memory is None:
        flat = np.lib.stride_tricks.as_strided(owner, ((high - low) // owner.itemsize,), (owner.itemsize,))
        memory = copies[low, high] = flat.copy()
    return np.ndarray(array.shape, array.dtype, memory, address_of(array) - low, array.strides)
