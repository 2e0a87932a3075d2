"""Where things are, which there are and how many: nonzero, searchsorted, unique, bincount. No gradients here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.device import like
from ..core.function import Function
from ..core.meta import refuse
from ..core.variable import Variable
from ._common import also_called, is_number, on_host, promote, wrap_dim
from .histogram import histogram


def nonzero(input, *, as_tuple=False):
    """The indices (n, ndim) of the elements that are not zero, or as_tuple=True one index tensor per dim.
    int64."""
    data = _comparable(input)
    if as_tuple:
        return tuple(Function.as_tensor(i) for i in K.stack((data.reshape(1) if not data.ndim else data).nonzero()))
    if not data.ndim:
        return Function.as_tensor(K.namespace(data).zeros((int(data != 0), 0), K.int64))
    return Function.as_tensor(K.stack(data.nonzero()).T)  # in torch's order of memory: a row for each dim


def nonzero_static(input, *, size, fill_value=-1):
    """The first `size` rows of nonzero(input), with rows of fill_value after them where there are fewer: (size, ndim).

    Nothing about its shape depends on the data, but here the GPU is waited for all the same.
    """
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = argwhere(input)._data[:size]
    result = K.full_like(found, fill_value, shape=(size, found.shape[1]))
    result[: len(found)] = found
    return Function.as_tensor(result)


def unravel_index(indices, shape):
    """The places, a tensor of int64 for each dim, that elements with these numbers have in a tensor of that shape."""
    sizes = (shape,) if isinstance(shape, int) else shape
    if indices._data.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if not isinstance(sizes, tuple | list):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for n in sizes:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    numbers, places, stride = indices._data.astype(np.int64), [], 1
    for n in reversed(sizes):
        places.append(numbers // stride % n if n else numbers * 0)
        stride *= n or 1
    return tuple(map(Function.as_tensor, map(K.asarray, reversed(places))))


def argwhere(input) -> Any:
    """nonzero(input)."""
    return nonzero(input)


def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where in sorted_sequence (1-d, or (..., n) row by row) each value would go in: before its equals, or
    (right=True, side='right') after them."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    edges = _comparable(sorted_sequence)
    values = like(np.asarray(input), edges) if is_number(input) else _comparable(input)
    if edges.ndim != 1 and (values.ndim != edges.ndim or edges.shape[:-1] != values.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions "
            "of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(edges.shape)} "
            "and input value "
            f"tensor {list(values.shape)}"
        )
    if sorter is not None:
        edges = K.take_along_axis(edges, sorter._data, axis=-1)
    side = "right" if right or side == "right" else "left"
    dtype = np.int32 if out_int32 else np.int64
    if edges.ndim == 1:
        return Function.as_tensor(K.asarray(K.searchsorted(edges, values, side), dtype))
    if K.on_device(edges):
        return on_host(searchsorted)(Function.as_tensor(edges), input, out_int32=out_int32, side=side)
    places = np.empty(values.shape, dtype)
    for row in np.ndindex(edges.shape[:-1]):
        places[row] = np.searchsorted(edges[row], values[row], side)
    return Function.as_tensor(places)


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the bucket between sorted boundaries that each element falls into."""
    if boundaries._data.ndim != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries._data.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def bincount(input, weights=None, minlength=0):
    """How often each non-negative integer occurs, or the sum of its weights; at least minlength long."""
    data = input._data
    if data.dtype.kind not in "iu":
        raise NotImplementedError(
            f"\"bincount_cpu\" not implemented for '{input.dtype.torch_type}'; it counts integers"
        )
    if data.ndim != 1 or (data.size and data.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if weights is None or not data.size:
        return Function.as_tensor(np.bincount(data.astype(np.int64), minlength=minlength))
    if weights._data.shape != data.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    sums = np.bincount(data.astype(np.int64), _comparable(weights).astype(np.float64), minlength)
    return Function.as_tensor(sums.astype(np.float32) if weights._data.dtype == np.float32 else sums)


def histc(input, bins=100, min=0, max=0):
    """How many elements fall into each of `bins` equal parts of [min, max], or of the data's own range
    where both are equal. In input's dtype."""
    data = input._data
    if data.dtype.kind not in "fV":
        raise NotImplementedError(
            f"\"histogram_cpu\" not implemented for '{input.dtype.torch_type}'; it takes floating dtypes"
        )
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    data = _comparable(input).reshape(-1)
    low, high = float(min), float(max)
    if low == high and data.size:
        low, high = float(data.min()), float(data.max())
    if low == high:
        low, high = low - 1, high + 1
    if not np.isfinite([low, high]).all():
        raise RuntimeError(f"torch.histc: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    data = data[(data >= low) & (data <= high)]
    number = ((data - data.dtype.type(low)) / data.dtype.type(high - low) * bins).astype(np.int64)
    counts = np.bincount(np.minimum(number, bins - 1), minlength=bins)
    return Function.as_tensor(K.cast(counts.astype(np.float64), input._data.dtype))


@on_host
@also_called(element="elements", test_element="test_elements")
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element is one of test_elements: bool. One of the two may be a number."""
    for x in (elements, test_elements):
        if isinstance(x, Variable) and x._data.dtype.kind == "b":
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    if is_number(elements) or is_number(test_elements):
        elements, test_elements = (
            Function.as_tensor(np.asarray(x)) if is_number(x) else x for x in (elements, test_elements)
        )
    if elements._data.dtype != test_elements._data.dtype:
        elements, test_elements = promote("isin", elements, test_elements)
    return Function.as_tensor(
        np.asarray(np.isin(_comparable(elements), _comparable(test_elements), assume_unique, invert))
    )


@on_host
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements in order (or slices along dim), and if asked for the index of each element
    among them and how often each occurs. Every NaN is different from every other."""
    refuse("unique", input._data)
    data = _comparable(input)
    if dim is not None:
        dim = wrap_dim(dim, data.ndim)
        rows = _rows(data, dim)
        order = np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(rows.shape[0])
        new = np.r_[True, (rows[order[1:]] != rows[order[:-1]]).any(axis=1)][: order.size]
        first = np.take(input._data, order[new], axis=dim)
        return _unique_result(first, order, new, (order.size,), return_inverse, return_counts)
    flat = data.reshape(-1)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    new = np.r_[True, ordered[1:] != ordered[:-1]][: order.size]
    first = input._data.reshape(-1)[order[new]]
    return _unique_result(first, order, new, data.shape, return_inverse, return_counts)


@on_host
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """input without the elements (or slices along dim) that equal the one before."""
    data = _comparable(input)
    if dim is None:
        flat = data.reshape(-1)
        new = np.r_[True, flat[1:] != flat[:-1]][: flat.size]
        kept, shape = input._data.reshape(-1)[new], data.shape
    else:
        dim = wrap_dim(dim, data.ndim)
        rows = _rows(data, dim)
        new = np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)][: rows.shape[0]]
        kept, shape = np.compress(new, input._data, axis=dim), (rows.shape[0],)
    order = np.arange(new.size)
    return _unique_result(kept, order, new, shape, return_inverse, return_counts)


def _rows(data, dim):
    """The slices along `dim`, one a row; RuntimeError where they have no elements."""
    if data.size == 0 and data.shape.count(0) > (data.shape[dim] == 0):
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    rows = np.moveaxis(data, dim, 0)
    return rows.reshape(rows.shape[0], math.prod(rows.shape[1:]))


def _unique_result(values, order, new, inverse_shape, return_inverse, return_counts):
    """order: the elements sorted; new: where in that order another one begins."""
    result = [Function.as_tensor(values)]
    if return_inverse:
        inverse = np.empty(order.size, np.int64)
        inverse[order] = np.cumsum(new) - 1
        result.append(Function.as_tensor(inverse.reshape(inverse_shape)))
    if return_counts:
        result.append(Function.as_tensor(np.diff(np.r_[np.flatnonzero(new), order.size])))
    return result[0] if len(result) == 1 else tuple(result)


def _comparable(x):
    """The array NumPy can compare: bfloat16 as float32."""
    return K.widen(x._data) if x._data.dtype.kind == "V" else x._data


class SearchingMethods:
    nonzero, argwhere, bincount, histc = nonzero, argwhere, bincount, histc
    nonzero_static, histogram = nonzero_static, histogram
    unique, unique_consecutive = unique, unique_consecutive
