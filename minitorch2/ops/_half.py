"""float16 and bfloat16 where there is more to it than computing in float32: numbers, and functions of several ops."""

from __future__ import annotations

import functools

import minitorch2_kernels as K
from minitorch2_kernels.dispatch import on_device

from ..core import autocast
from ..core.dtypes import LOW_PRECISION, float32
from ..core.quiet import quietly
from ..core.variable import Variable
from ._common import to_dtype


def is_half(x) -> bool:
    """Whether x is a tensor in half precision."""
    return isinstance(x, Variable) and x._data.itemsize == 2 and x._data.dtype in LOW_PRECISION


@quietly
def in_half(number, dtype) -> float:
    """The number as this half precision has it."""
    return float(K.cast(K.cast(K.asarray(number, float32.numpy), dtype), float32.numpy))


def beside_half(input, other):
    """The two operands; a number beside half precision as that has it, for where torch converts it first."""
    if isinstance(input, Variable):
        if input._data.itemsize == 2 and is_half(input) and not isinstance(other, Variable):
            return input, in_half(other, input._data.dtype)
    elif is_half(other):
        return in_half(input, other._data.dtype), other
    return input, other


def rounded_once(function, input, *rest, **options):
    """The function of several ops in float32, rounded to input's half precision at the end."""

    def wide(x):
        return to_dtype(x, float32.numpy) if is_half(x) else x

    result = function(*map(wide, (input, *rest)), **{key: wide(x) for key, x in options.items()})
    return to_dtype(result, input._data.dtype)


def once_in_half(function):
    """A function of several ops, on the CPU computed in float32 where all its tensors are of one half precision, and
    rounded at the end. (Inside autocast its lists choose the dtypes.)"""

    @functools.wraps(function)
    def run(input, *args, **kwargs):
        if not is_half(input) or on_device(input._data) or autocast.regions:
            return function(input, *args, **kwargs)
        floating = [x for x in (*args, *kwargs.values()) if isinstance(x, Variable) and x._data.dtype.kind in "fV"]
        if any(x._data.dtype != input._data.dtype for x in floating):
            return function(input, *args, **kwargs)
        return rounded_once(function, input, *args, **kwargs)

    return run
