"""What needs the host: Python functions on every element, shared and pinned memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch2_kernels.dispatch import on_device

from ..core.device import cupy, has_gpu
from ..core.function import Function


class HostMethods:
    @property
    def _cdata(self) -> int:
        """A number that no other tensor has while this one is there; torch's is an address."""
        return id(self)

    def to_dense(self: Any, dtype=None, *, masked_grad=None):
        """The tensor itself, there being no sparse ones here, or in another dtype."""
        return self if dtype is None else self.to(dtype)

    def apply_(self: Any, function):
        """Calls a Python function on every element, in place. CPU only, slow, without gradient."""
        if self.requires_grad:
            raise RuntimeError(
                "Can't call apply_() on a tensor that requires grad. Use tensor.detach().apply_() instead."
            )
        if on_device(self._data):
            raise TypeError("apply_ is only implemented on CPU tensors: call it on tensor.cpu()")
        flat = self._data.reshape(-1)
        values = [function(v) for v in flat.tolist()]
        self._data[...] = np.array(values, self._data.dtype).reshape(self._data.shape)
        self._bump()
        return self

    def map_(self: Any, other, function):
        """Calls function(own element, other's element) on every pair, in place. CPU only, slow, without gradient."""
        if self.requires_grad or other.requires_grad:
            raise RuntimeError("Can't call map_() on a tensor that requires grad. Use tensor.detach().map_() instead.")
        if on_device(self._data) or on_device(other._data):
            raise TypeError("map_ is only implemented on CPU tensors: call it on tensor.cpu()")
        pairs = zip(self._data.reshape(-1).tolist(), other.expand_as(self)._data.reshape(-1).tolist(), strict=True)
        values = [function(a, b) for a, b in pairs]
        self._data[...] = np.array(values, self._data.dtype).reshape(self._data.shape)
        self._bump()
        return self

    def is_shared(self) -> bool:
        return False

    def is_pinned(self: Any, device=None) -> bool:
        """Whether this is a CPU tensor in pinned memory."""
        if on_device(self._data) or not has_gpu():
            return False
        runtime = cupy().cuda.runtime
        return runtime.pointerGetAttributes(self.data_ptr()).type == runtime.memoryTypeHost

    def pin_memory(self: Any, device=None):
        """A copy of this CPU tensor in pinned memory, from which a GPU copies without holding the program up; itself if
        it lies there already. RuntimeError without a GPU."""
        if on_device(self._data):
            raise RuntimeError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
        if not has_gpu():
            raise RuntimeError("Cannot access accelerator device when none is available: pin_memory() needs a GPU")
        if self.is_pinned():
            return self
        from cupyx import empty_pinned

        pinned = empty_pinned(self._data.shape, self._data.dtype)
        pinned[...] = self._data
        return Function.as_tensor(pinned)

    def share_memory_(self):
        raise NotImplementedError(
            "minitorch2: share_memory_ is not supported; send the tensor through a multiprocessing queue or pipe "
            "instead"
        )
