"""Tensors by sizes and strides over the memory of another: as_strided, resize_, set_."""

from __future__ import annotations

import math
from typing import Any

from minitorch2_kernels import ascontiguousarray
from minitorch2_kernels.dispatch import namespace

from ..core.device import check_available, module_on
from ..core.dtypes import as_dtype, get_default_dtype
from ..core.function import Function
from ..core.layout import (
    channels_last,
    check_layout,
    check_memory_format,
    check_pin_memory,
    contiguous_format,
    preserve_format,
)
from ..core.memory_order import CHANNELS_LAST, address_of, is_channels_last, memory_order, transposed_back
from ..core.size import checked_numel
from ..core.variable import Variable
from ._common import require_tensor, shape_from
from ._inplace import check_history, check_writable
from .conversion import clone
from .index_ops import IndexAccumulate
from .storages import TypedStorage, UntypedStorage, storage, storage_type, untyped_storage
from .view_ops import Permute, Reshape, ViewOp
from .views import ViewMethods, view_in_place


class AsStrided(ViewOp):
    """The elements of row-major x, counted from `offset`, by sizes and strides in elements."""

    @staticmethod
    def forward(ctx, x, size, stride, offset):
        ctx.shape, ctx.where = x.shape, (size, stride, offset)
        return _looking_into(ascontiguousarray(x).reshape(-1), size, stride, offset)  # a gradient may be of any strides

    @staticmethod
    def backward(ctx, g):  # every element gets the sum of what its places in the view get
        n = math.prod(ctx.shape)
        places = _looking_into(namespace(getattr(g, "_data", g)).arange(n), *ctx.where)
        return Reshape.apply(IndexAccumulate.apply(g, (n,), (places,)), ctx.shape), None, None, None


def _looking_into(flat, size, stride, offset):
    strides = tuple(s * flat.itemsize for s in stride)
    return namespace(flat).lib.stride_tricks.as_strided(flat[offset:], size, strides)


def _reach(size, stride, offset) -> int:
    """How many elements of memory such a view needs."""
    return 0 if 0 in size else 1 + offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))


def as_strided(input, size, stride, storage_offset=None):
    """A view of these sizes and strides, in elements, into the memory that input and its views share.

    storage_offset: where it begins, input's own beginning unless told. RuntimeError where that memory is too small.
    """
    require_tensor("as_strided", input)
    size, stride = shape_from((tuple(size),)), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    base, begin = input if input._base is None else input._base, input.storage_offset()
    apart = input.requires_grad and not base.requires_grad  # a leaf made of a view: gradients end here
    if apart or input._base is None:  # the latter begins somewhere where set_ or as_strided_ made it
        base, begin, storage_offset = input, 0, None if storage_offset is None else storage_offset - begin
    if not base._data.flags.c_contiguous:
        raise NotImplementedError("minitorch2: as_strided needs memory in row-major order; call .contiguous() first")
    offset = begin if storage_offset is None else storage_offset
    need, have, itemsize = _reach(size, stride, offset), base._data.size, base._data.itemsize
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if need > have:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {itemsize} "
            f"requiring a storage size of {need * itemsize} are out of bounds for storage of size {have * itemsize}"
        )
    return AsStrided.apply(base, size, stride, offset)


def _by_memory(view) -> tuple:
    """The ops that make a view of its base by where it lies, whatever dims the base has now."""
    base, itemsize = view._base._data, view._data.itemsize
    axes = tuple(memory_order(base))
    stride = tuple(s // itemsize for s in view._data.strides)
    offset = (address_of(view._data) - address_of(base)) // itemsize
    if not base.transpose(axes).flags.c_contiguous or _reach(view._data.shape, stride, offset) > base.size:
        raise NotImplementedError(
            "minitorch2: this tensor is a view of one that as_strided_ has since made another, and its gradient is not "
            "found there; make the view afterwards"
        )
    return (Permute, (axes,), 0), (AsStrided, (view._data.shape, stride, offset), 0)


Variable._by_memory = staticmethod(_by_memory)


def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """input with src at the places that as_strided gives: a tensor of its own, in row-major order. The gradient of
    input is zero at these places (torch 2.13's is zero at the others)."""
    require_tensor("as_strided_scatter", input)
    require_tensor("as_strided_scatter", src, "src", 2)
    if not input._data.flags.c_contiguous:
        raise NotImplementedError(
            "minitorch2: as_strided_scatter needs memory in row-major order; call .contiguous() first"
        )
    offset = 0 if storage_offset is None else storage_offset - input.storage_offset()
    result = clone(input)
    part = as_strided(result, size, stride, offset)
    if part._data.shape != src._data.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src._data.shape)}, slice size = "
            f"{list(part._data.shape)}"
        )
    part.copy_(src)
    return result


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """An uninitialised tensor of these sizes and strides, in elements."""
    check_layout(layout)
    check_pin_memory(pin_memory)
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype, "empty_strided")
    size, stride = shape_from((tuple(size),)), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    memory = module_on(check_available(device)).empty(_reach(size, stride, 0), dtype.numpy)
    return Function.as_tensor(_looking_into(memory, size, stride, 0))._requiring(requires_grad)


def new_empty_strided(self, size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, **options):
    """empty_strided in this tensor's dtype and on its device unless told."""
    dtype, device = dtype or self.dtype, self.device if device is None else device
    return empty_strided(
        size, stride, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad, **options
    )


def resize_(self, *sizes, memory_format=None):
    """Becomes a tensor of these sizes with its first elements, as they lie in memory; what is new is not initialised.

    memory_format: the order that the elements are taken to lie in, row-major or channels_last.
    """
    size = shape_from(sizes)
    check_memory_format(memory_format, len(size))
    if memory_format is preserve_format:
        raise RuntimeError("Unsupported memory format Preserve: resize_ takes contiguous_format or channels_last")
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    check_writable(self)
    if self._base is not None:
        raise NotImplementedError("minitorch2: a view is not resized; call resize_ on the tensor, or clone() the view")
    axes, n = memory_order(self._data), math.prod(checked_numel(size))
    old = self._data.transpose(axes).reshape(-1)
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(size)}: {list(size)}")
    if n > old.size:
        if self._lent:
            raise RuntimeError("Trying to resize storage that is not resizable")
        memory = namespace(old).empty(n, old.dtype)
        memory[: old.size] = old
        old = memory
    if memory_format is channels_last:
        self._data = transposed_back(old[:n].reshape([size[axis] for axis in CHANNELS_LAST]), CHANNELS_LAST)
    else:
        self._data = old[:n].reshape(size)
    self._bump()
    return self


def resize_as_(self, the_template, *, memory_format=None):
    """resize_(the_template.shape); preserve_format: in the template's order."""
    require_tensor("resize_as_", the_template, "the_template", 1)
    if memory_format is preserve_format:
        memory_format = channels_last if is_channels_last(the_template._data) else contiguous_format
    return resize_(self, the_template.shape, memory_format=memory_format)


def set_(self, source: Any = None, storage_offset=0, size=None, stride=None):
    """Looks into the memory of `source`, a tensor of its dtype or a storage, from now on; without one, at nothing.

    size, stride: what it sees of that memory, from storage_offset on, in elements; all of it unless told.
    """
    if self._inference:
        check_history(self)
    if isinstance(source, UntypedStorage | TypedStorage):
        untyped = source if isinstance(source, UntypedStorage) else source.untyped()
        flat = untyped.bytes()
        whole = len(flat) // self._data.itemsize
        source = Function.as_tensor(flat[: whole * self._data.itemsize].view(self._data.dtype))
        source._counter = untyped._tensor._counter
    if size is not None:
        rows = [math.prod(size[d + 1 :]) for d in range(len(size))]
        source = as_strided(source.detach(), size, rows if stride is None else stride, storage_offset)
    if self.requires_grad and self._grad_fn is None and source is not None and source.requires_grad:
        raise RuntimeError("set_ is not allowed on a Tensor created from .data or .detach().")
    if source is None:
        self._data = self._data.reshape(-1)[:0]
        return self
    require_tensor("set_", source, "source", 1)
    if source._data.dtype != self._data.dtype:
        raise RuntimeError(
            f"Could not set tensor of type {source.dtype.name} to a tensor of type {self.dtype.name}; convert one with "
            ".to()"
        )
    self._data = source._data.view()
    return self


class StridedMethods(ViewMethods):
    as_strided, as_strided_scatter = as_strided, as_strided_scatter
    new_empty_strided, storage, untyped_storage = new_empty_strided, storage, untyped_storage
    resize_, resize_as_, set_, storage_type = resize_, resize_as_, set_, storage_type
    as_strided_ = view_in_place(as_strided)
