"""Leaving NaN out, or replacing it."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import listed
from ..core.function import Elementwise
from ._common import to_dtype
from ._inplace import inplace
from .arithmetic import Where
from .comparison import isnan
from .reduce import sum as sum_


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum with every NaN counted as 0."""
    return sum_(_without_nan(input), dim, keepdim, dtype=dtype)


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of the elements that are not NaN."""
    if input._data.dtype.kind not in "fV":
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype.torch_type}"
        )
    if dtype is not None and not dtype.is_floating_point:
        raise RuntimeError(
            "nanmean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. "
            f"Got: {dtype.torch_type}"
        )
    count = sum_(~isnan(input), dim, keepdim)
    total = nansum(input, dim, keepdim, dtype=dtype)
    return total / to_dtype(count, total._data.dtype)


def _without_nan(input):
    return Where.apply(isnan(input), 0.0, input) if input._data.dtype.kind in "fV" else input


def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """NaN replaced by `nan` (0), inf by `posinf` (the dtype's largest number), -inf by `neginf` (the
    smallest)."""
    if input._data.dtype.kind not in "fV":
        return input.clone()
    limits = dtypes.finfo(input.dtype)
    return NanToNum.apply(
        input,
        0.0 if nan is None else nan,
        limits.max if posinf is None else posinf,
        limits.min if neginf is None else neginf,
    )


class NanToNum(Elementwise):
    @staticmethod
    def forward(ctx, x, nan, posinf, neginf):
        if ctx.needs_input_grad[0]:
            ctx.save_constants(K.isfinite(x))
        return K.finite(x, nan, posinf, neginf)

    @staticmethod
    def backward(ctx, g):  # what was replaced is constant
        (finite,) = ctx.constants
        return Where.apply(finite, g, 0.0), None, None, None


listed(globals())


class NanMethods:
    nansum, nanmean, nan_to_num = nansum, nanmean, nan_to_num
    nan_to_num_ = inplace(nan_to_num)
