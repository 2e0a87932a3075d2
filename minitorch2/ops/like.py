"""Tensors like this one: new_zeros and its kin, in the dtype of the tensor they are called on."""

from __future__ import annotations

import numpy as np

from ..core.device import check_available
from ..core.dtypes import as_dtype
from ..core.function import Function
from ._common import element, shape_from
from ._data import array_of, legacy_array


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A tensor that owns a copy of data, in this one's dtype unless told."""
    check_available(device)
    return Function.variable(array_of(data, _dtype(self, dtype))).requires_grad_(requires_grad)


def new_empty(self, *sizes, size=None, dtype=None, device=None, requires_grad=False):
    """An uninitialised tensor in this one's dtype unless told."""
    check_available(device)
    shape = shape_from(sizes if size is None else size)
    return Function.variable(np.empty(shape, _dtype(self, dtype).numpy)).requires_grad_(requires_grad)


def new_zeros(self, *sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros in this one's dtype unless told."""
    return new_full(
        self, shape_from(sizes if size is None else size), 0, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new_ones(self, *sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of ones in this one's dtype unless told."""
    return new_full(
        self, shape_from(sizes if size is None else size), 1, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of one value in this one's dtype unless told."""
    made = new_empty(self, size=size, dtype=dtype, device=device)
    made._data[...] = element(fill_value, made._data.dtype)
    return made.requires_grad_(requires_grad)


def new(self, *args):
    """torch's legacy constructor, in this one's dtype: sizes (uninitialised), or data."""
    return Function.variable(legacy_array(args, self.dtype))


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
