"""histogram: how many elements, or how much weight, falls between neighbours of a row of edges. No gradient."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ..core.function import Function
from ..core.variable import Variable
from . import _return_types as return_types


def histogram(input, bins=100, *, range=None, weight=None, density=False):
    """(hist, bin_edges) of the elements of input, float32 or float64.

    bins: the number of equal bins from range[0] to range[1] (the least and the greatest element unless told), or their
    edges, a 1-d tensor of input's dtype. A bin holds its left edge, the last one its right edge too. weight: of each
    element, in input's shape and dtype. density: divide by the sum and by the width of each bin.
    """
    x = input._data
    if isinstance(bins, Variable):
        if range is not None:
            raise TypeError("histogram(): range= goes with a number of bins; a tensor `bins` is the edges themselves")
        _check_edges(input, bins)
        edges = bins._data
    else:
        _check_dtype(input)
        edges = _equal_bins(x, bins, range)
    count = edges.size - 1
    if count < 1:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {count} for dimension 0")
    if weight is not None:
        _check_weight(input, weight)
    flat = x.reshape(-1)
    inside = (flat >= edges[0]) & (flat <= edges[-1])
    place = K.minimum(K.searchsorted(edges, flat[inside], side="right") - 1, count - 1)
    weights = None if weight is None else weight._data.reshape(-1)[inside].astype(np.float64)
    found = K.bincount(place, weights, minlength=count).astype(x.dtype)
    if density:
        found = found / found.sum() / K.diff(edges)
    return return_types.histogram(Function.as_tensor(found), Function.as_tensor(K.asarray(edges).copy()))


def _check_dtype(input):
    if input._data.dtype not in (np.float32, np.float64):
        raise NotImplementedError(
            f"\"histogramdd\" not implemented for '{input.dtype.torch_type}'; it takes float32 and float64"
        )


def _check_edges(input, bins):
    if bins._data.ndim != 1:
        raise RuntimeError(
            f"torch.histogramdd: bins tensor should have one dimension, but got {bins._data.ndim} dimensions in the "
            "bins tensor for dimension 0"
        )
    if bins._data.dtype != input._data.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
            f"{input.dtype.name} and bins for dimension 0 with dtype {bins.dtype.name}"
        )
    _check_dtype(input)


def _check_weight(input, weight):
    if weight._data.shape != input._data.shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor, but "
            f"got {list(weight._data.shape)} for {list(input._data.shape)}"
        )
    if weight._data.dtype != input._data.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
            f"dtype, but got input({input.dtype.name}), and weight({weight.dtype.name})"
        )


def _equal_bins(x, bins, given):
    """The edges of `bins` equal bins, from both ends as torch.linspace has them."""
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if given is not None:
        if len(given) != 2:
            raise RuntimeError(
                f"torch.histogramdd: for a 1-dimensional histogram range should have 2 elements, but got {len(given)}"
            )
        low, high = map(float, given)
    else:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histogramdd: dimension 0's range [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low} max {high} for dimension 0"
        )
    if low == high:
        low, high = low - 0.5, high + 0.5
    kind = x.dtype.type
    i, step = K.namespace(x).arange(bins + 1), kind((high - low) / bins)
    return K.where(i < (bins + 1) // 2, kind(low) + step * i.astype(kind), kind(high) - step * (bins - i).astype(kind))
