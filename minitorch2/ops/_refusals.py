"""What arithmetic refuses, in torch's words: subtraction of bools, alpha as a bool, division of integers by 0."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.variable import Variable
from ._common import can_be_asked


def kind_of(x) -> str:
    """The kind of a tensor's dtype, as NumPy has it; "" for a number."""
    return x._data.dtype.kind if isinstance(x, Variable) else ""


def refuse_bool_subtraction(input, other) -> None:
    if kind_of(input) == "b" and kind_of(other) == "b":
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if any(kind_of(x) == "b" or isinstance(x, bool) for x in (input, other)):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )


def refuse_bool_alpha(input, other) -> None:
    """RuntimeError unless the sum is one of bools."""
    if any(kind_of(x) not in ("b", "") for x in (input, other)):
        raise RuntimeError("Boolean alpha only supported for Boolean results.")


def refuse_zero_divisor(input, other) -> None:
    if kind_of(input) == "b" and kind_of(other) in ("b", ""):
        raise NotImplementedError("division with rounding is not implemented for 'Bool'; convert with .int() first")
    if kind_of(input) in ("i", "u", "b") or (not isinstance(input, Variable) and kind_of(other) in ("i", "u", "b")):
        divisor = other._data if isinstance(other, Variable) else other
        if isinstance(other, Variable) and not can_be_asked(divisor):
            return
        if not K.all(divisor) and (not isinstance(input, Variable) or input._data.size):
            raise RuntimeError("ZeroDivisionError")
