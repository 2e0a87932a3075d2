"""histogram, histogramdd: how many elements, or how much weight, falls between neighbours of a row of edges. No
gradient."""

from __future__ import annotations

import math
from typing import Any

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
    if weight is not None:
        _check_weight("histogram", x.shape, weight, input)
    found = _counted(x.reshape(-1, 1), [edges], weight, density)
    return return_types.histogram(Function.as_tensor(found), Function.as_tensor(K.asarray(edges).copy()))


def histogramdd(input, bins, range=None, weight=None, density=False):
    """(hist, bin_edges) of points: input (..., D), float32 or float64; hist has D dims, bin_edges is a tuple of D.

    bins: the number of equal bins of each dim, D numbers or one, from range[2 d] to range[2 d + 1] (the least and the
    greatest unless told), or D tensors of edges in input's dtype. weight: of each point. density: as in histogram, with
    the bins' volumes.
    """
    x = input._data
    if x.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    points = x.reshape(-1, x.shape[-1])
    bins = [bins] * points.shape[1] if isinstance(bins, int) else list(bins)
    if len(bins) != points.shape[1]:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    if weight is not None:
        _check_weight("histogramdd", x.shape[:-1], weight, input)
    if any(isinstance(edges, Variable) for edges in bins):
        for dim, edges in enumerate(bins):
            _check_edges(input, edges, dim)
        edges = [edges._data for edges in bins]
    else:
        _check_dtype(input)
        if range is not None and len(range) != 2 * len(bins):
            raise RuntimeError(
                f"torch.histogramdd: for a {len(bins)}-dimensional histogram range should have {2 * len(bins)} "
                f"elements, but got {len(range)}"
            )
        edges = [
            _equal_bins(points[:, dim], n, None if range is None else range[2 * dim : 2 * dim + 2], dim)
            for dim, n in enumerate(bins)
        ]
    found = _counted(points, edges, weight, density)
    made = tuple(Function.as_tensor(K.asarray(each).copy()) for each in edges)
    return return_types.histogramdd(Function.as_tensor(found), made)


def _counted(points, edges, weight, density):
    """How many of the points (n, D), or how much of weight (n elements), each cell of the D edges holds."""
    counts = [each.size - 1 for each in edges]
    for dim, count in enumerate(counts):
        if count < 1:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {count} for dimension {dim}")
    inside: Any = True
    place: Any = 0
    for dim, (each, count) in enumerate(zip(edges, counts, strict=True)):
        column = points[:, dim]
        inside = inside & (column >= each[0]) & (column <= each[-1])
        place = place * count + K.minimum(K.searchsorted(each, column, side="right") - 1, count - 1)
    weights = None if weight is None else weight._data.reshape(-1)[inside].astype(np.float64)
    found = K.bincount(place[inside], weights, minlength=math.prod(counts)).reshape(counts).astype(points.dtype)
    if density:
        found = found / found.sum()
        for dim, each in enumerate(edges):
            found = found / K.diff(each).reshape([-1] + [1] * (len(edges) - 1 - dim))
    return found


def _check_dtype(input):
    if input._data.dtype not in (np.float32, np.float64):
        raise NotImplementedError(
            f"\"histogramdd\" not implemented for '{input.dtype.torch_type}'; it takes float32 and float64"
        )


def _check_edges(input, bins, dim=0):
    if bins._data.ndim != 1:
        raise RuntimeError(
            f"torch.histogramdd: bins tensor should have one dimension, but got {bins._data.ndim} dimensions in the "
            f"bins tensor for dimension {dim}"
        )
    if bins._data.dtype != input._data.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
            f"{input.dtype.name} and bins for dimension {dim} with dtype {bins.dtype.name}"
        )
    _check_dtype(input)


def _check_weight(op, shape, weight, input):
    if weight._data.shape != shape:
        what = "the input tensor" if op == "histogram" else "the input tensor excluding its innermost dimension"
        raise RuntimeError(
            f"torch.histogramdd: if weight tensor is provided it should have the same shape as {what}, but got "
            f"{list(weight._data.shape)} for {list(shape)}"
        )
    if weight._data.dtype != input._data.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
            f"dtype, but got input({input.dtype.name}), and weight({weight.dtype.name})"
        )


def _equal_bins(x, bins, given, dim=0):
    """The edges of `bins` equal bins, from both ends as torch.linspace has them."""
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension {dim}")
    if given is not None:
        if len(given) != 2:
            raise RuntimeError(
                f"torch.histogramdd: for a 1-dimensional histogram range should have 2 elements, but got {len(given)}"
            )
        low, high = map(float, given)
    else:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histogramdd: dimension {dim}'s range [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low} max {high} for dimension {dim}"
        )
    if low == high:
        low, high = low - 0.5, high + 0.5
    kind = x.dtype.type
    i, step = K.namespace(x).arange(bins + 1), kind((high - low) / bins)
    return K.where(i < (bins + 1) // 2, kind(low) + step * i.astype(kind), kind(high) - step * (bins - i).astype(kind))
