"""What PyTorch tells of any tensor and has one answer here, where all are dense and without names; the order of dims in
memory; and resize, which is a reshape."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import NoReturn

from ..core.layout import memory_format
from ..core.memory_order import memory_order
from ._common import shape_from
from .conversion import copy_, detach, is_contiguous
from .view_ops import Reshape


def dim_order(self, *, ambiguity_check=False) -> tuple[int, ...]:
    """The dims from the slowest to the fastest in memory.

    ambiguity_check: True is a RuntimeError where another order would do as well; so is a list of memory formats, unless
    the tensor lies in exactly one of them.
    """
    formats = ambiguity_check if isinstance(ambiguity_check, list) else []
    if not isinstance(ambiguity_check, bool | list) or not all(isinstance(each, memory_format) for each in formats):
        raise TypeError("The ambiguity_check argument must be a bool or a list of memory formats.")
    strides = self.stride()
    several = 1 in self.shape or any(a == b for a, b in pairwise(strides))
    if ambiguity_check is not False and several and sum(is_contiguous(self, each) for each in formats) != 1:
        raise RuntimeError(
            "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."
        )
    return tuple(memory_order(self._data))


def sparse_dim(self) -> int:
    """0: all dims are dense."""
    return 0


def dense_dim(self) -> int:
    """The number of dims: all are dense."""
    return self._data.ndim


def is_coalesced(self) -> NoReturn:
    """RuntimeError, as for any tensor that is not sparse."""
    raise RuntimeError("is_coalesced expected sparse coordinate tensor layout but got Strided")


def record_stream(self, stream) -> None:
    """RuntimeError on the CPU, which has no streams; NotImplementedError on a GPU."""
    if not self.is_cuda:
        raise RuntimeError("unknown parameter type: record_stream is for tensors on a GPU")
    raise NotImplementedError("minitorch2: Tensor.record_stream is not supported; let one stream wait for the other")


def module_load(self, other, assign=False):
    """What a module that loads `other` in this tensor's place would keep: this one with those numbers, or with assign
    other itself, without history."""
    return detach(other) if assign else detach(copy_(self, other))


def _resized(name):
    def method(self, *sizes):
        warnings.warn(f"non-inplace {name} is deprecated", stacklevel=2)
        size = sizes[0].shape if name == "resize_as" else shape_from(sizes)
        wanted = math.prod(size)
        if wanted != self._data.size:
            raise RuntimeError(
                f"requested resize to {'x'.join(map(str, size))} ({wanted} elements in total), but the given tensor "
                f"has a size of {'x'.join(map(str, self._data.shape))} ({self._data.size} elements). autograd's resize "
                "can only change the shape of a given tensor, while preserving the number of elements. "
            )
        return Reshape.apply(self, tuple(size))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Deprecated: reshape."
    return method


def _make_wrapper_subclass(cls, *args, **kwargs) -> NoReturn:
    """NotImplementedError: it makes tensors without memory, for a class that says what ops do with them."""
    raise NotImplementedError(
        "minitorch2: Tensor._make_wrapper_subclass is not supported: a class's __torch_dispatch__ is never called here"
    )


def _grad_dtype(self):
    """The dtype that its gradient has: its own."""
    return self.dtype


class PlainAnswerMethods:
    dim_order, sparse_dim, dense_dim, is_coalesced = dim_order, sparse_dim, dense_dim, is_coalesced
    record_stream, module_load = record_stream, module_load
    resize, resize_as = _resized("resize"), _resized("resize_as")
    _make_wrapper_subclass = classmethod(_make_wrapper_subclass)
    is_sparse_csr = False
    name = property(lambda self: None)
    grad_dtype = property(_grad_dtype)
