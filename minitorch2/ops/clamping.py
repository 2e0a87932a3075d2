"""Numbers kept between two bounds, which may be numbers or tensors."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.dtypes import get_default_dtype, int64
from ..core.function import Elementwise
from ..core.variable import Variable, type_name
from ._common import Broadcasting, fitting, is_number, require_tensor, result_type, to_dtype
from ._inplace import inplace
from .arithmetic import Where
from .conversion import item


class Clamp(Elementwise):
    """min(max(x, low), high) for numbers; None is no bound."""

    torch_name = "ClampBackward1"

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        if x.dtype.kind == "f" and low == low and high == high:  # no NaN
            return K.hardtanh(x, -math.inf if low is None else low, math.inf if high is None else high)
        y = x if low is None else K.maximum(x, low)
        return y if high is None else K.minimum(y, high)

    @staticmethod
    def backward(ctx, g):  # passes where low <= x <= high
        (x,) = ctx.saved
        inside = True if ctx.low is None else x >= ctx.low
        if ctx.high is not None:
            inside = (x <= ctx.high) & inside
        return Where.apply(inside, g, 0.0), None, None


class ClampBetween(Broadcasting):
    """min(max(x, low), high) for arrays that broadcast; None is no bound."""

    torch_name = "ClampBackward0"

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x, low, high)
        y = x if low is None else K.maximum(x, low)
        return y if high is None else K.minimum(y, high)

    @staticmethod
    def backward(ctx, g):  # to x where it lies between the bounds, else to the bound that was chosen
        x, low, high = ctx.saved
        if low is None:
            to_x, to_low, to_high = x <= high, None, x > high
        elif high is None:
            to_x, to_low, to_high = x >= low, x < low, None
        else:
            to_x, to_low, to_high = (x >= low) & (x <= high), (x < low) & (low < high), (x > high) | (high < low)
        return tuple(None if chosen is None else Where.apply(chosen, g, 0.0) for chosen in (to_x, to_low, to_high))


def clamp(input, min=None, max=None):
    """Limits input to [min, max]: numbers, or tensors that broadcast; one of the two may be missing."""
    require_tensor("clamp", input)
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if any(is_number(x) for x in (min, max)):  # beside a number, a tensor without dims is one
        min, max = (item(x) if isinstance(x, Variable) and not x._data.ndim else x for x in (min, max))
    if isinstance(min, Variable) or isinstance(max, Variable):
        return _clamp_between_tensors(input, min, max)
    for bound in (min, max):
        if bound is not None and not is_number(bound):
            raise TypeError(f"clamp(): min and max must be Tensors or Numbers, not {type_name(bound)}")
    if input._data.dtype.kind in "biu":
        if isinstance(min, float) or isinstance(max, float):
            input = input.to(get_default_dtype())
        elif input._data.dtype.kind == "b":
            if all(isinstance(x, bool) for x in (min, max) if x is not None):
                which = "" if min is not None and max is not None else "max_" if min is None else "min_"
                name = f"clamp_{which}scalar_cpu"
                raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'; convert with .int()")
            input = input.to(int64)
    min, max = (x if x is None else fitting(x, input._data.dtype) for x in (min, max))
    return Clamp.apply(input, min, max)


def _clamp_between_tensors(input, min, max):
    bounds = [x for x in (min, max) if x is not None]
    if not all(isinstance(x, Variable) for x in bounds):
        raise TypeError("clamp(): min and max must both be tensors or both be numbers")
    dtype = result_type(input, *bounds).numpy
    if dtype.kind == "b" and len(bounds) == 2:
        raise NotImplementedError("\"clamp_cpu\" not implemented for 'Bool'; convert with .int()")
    low, high = (x if x is None else to_dtype(x, dtype) for x in (min, max))
    return ClampBetween.apply(to_dtype(input, dtype), low, high)


def clamp_min(input, min):
    """max(input, min)."""
    return clamp(input, min=min)


def clamp_max(input, max):
    """min(input, max)."""
    return clamp(input, max=max)


class ClampMethods:
    clamp, clip, clamp_min, clamp_max = clamp, clamp, clamp_min, clamp_max
    clamp_, clamp_min_, clamp_max_ = inplace(clamp), inplace(clamp_min), inplace(clamp_max)
    clip_ = clamp_
