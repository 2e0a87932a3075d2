"""Tensors like this one: new_zeros and its kin, in the dtype of the tensor they are called on."""

from __future__ import annotations

import warnings

from ..core.autocast import stacklevel
from ..core.device import check_available, device_of, module_on, moved
from ..core.dtypes import as_dtype
from ..core.function import Function
from ..core.layout import check_layout, check_pin_memory
from ..core.variable import Variable
from ._arguments import one_number
from ._common import fill_array, shape_from
from ._data import array_of, counter_of, legacy_array


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A tensor that owns a copy of data, in this one's dtype unless told."""
    if isinstance(data, Variable):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than tensor.new_tensor(sourceTensor).",
            stacklevel=stacklevel(2),
        )
    array = moved(array_of(data, _dtype(self, dtype)), _place(self, device))
    return Function.as_tensor(array)._requiring(requires_grad)


def new_empty(self, *sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """An uninitialised tensor in this one's dtype unless told."""
    check_layout(layout)
    check_pin_memory(pin_memory)
    shape = shape_from(sizes if size is None else size)
    if (negative := next((n for n in shape if n < 0), None)) is not None:
        raise RuntimeError(f"Trying to create tensor with negative dimension {negative}: {list(shape)}")
    array = module_on(_place(self, device)).empty(shape, _dtype(self, dtype).numpy)
    return Function.as_tensor(array)._requiring(requires_grad)


def new_zeros(self, *sizes, size=None, **options):
    """A tensor of zeros in this one's dtype unless told. options: as for new_full."""
    return new_full(self, shape_from(sizes if size is None else size), 0, **options)


def new_ones(self, *sizes, size=None, **options):
    """A tensor of ones in this one's dtype unless told. options: as for new_full."""
    return new_full(self, shape_from(sizes if size is None else size), 1, **options)


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """A tensor of one value in this one's dtype unless told."""
    made = new_empty(self, size=size, dtype=dtype, device=device, layout=layout, pin_memory=pin_memory)
    fill_array(made._data, one_number("new_full", "fill_value", fill_value))
    return made._requiring(requires_grad)


def new(self, *args):
    """torch's legacy constructor, in this one's dtype: sizes (uninitialised), or data."""
    made = Function.as_tensor(moved(legacy_array(args, self.dtype), device_of(self._data)))
    made._counter = counter_of(args)
    return made


def _place(self, device):
    return device_of(self._data) if device is None else check_available(device)


def _dtype(self, dtype):
    return self.dtype if dtype is None else as_dtype(dtype, "new")


class LikeMethods:
    new_tensor, new_empty, new_zeros, new_ones, new_full, new = (
        new_tensor,
        new_empty,
        new_zeros,
        new_ones,
        new_full,
        new,
    )
