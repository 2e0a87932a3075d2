"""Comparisons, logic and bits: results without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import minitorch2_kernels as K

from ..core.dtypes import get_default_dtype
from ..core.function import Function
from ..core.grad_mode import no_grad
from ..core.memory_order import in_order_of
from ..core.quiet import IGNORE, restore, silence
from ..core.variable import Variable
from ._common import broadcast_shapes, promote, require_tensor
from ._half import beside_half
from ._inplace import inplace
from ._operators import numbers_and_tensors


def _plain(x):
    """The array to compute on; a Python number as it is. bfloat16 goes through float32, exactly."""
    if not isinstance(x, Variable):
        return x
    return K.widen(x._data) if x._data.dtype.kind == "V" else x._data


def _compute(ufunc, a, b):
    if not (isinstance(a, Variable) and isinstance(b, Variable)):
        a, b = beside_half(a, b)
    a, b = _plain(a), _plain(b)
    token = silence(IGNORE)  # a number beyond the dtype is infinite
    try:
        result = ufunc(a, b)
    except ValueError:
        broadcast_shapes(ufunc.__name__, np.shape(a), np.shape(b))
        raise
    finally:
        restore(token)
    return Function.as_tensor(in_order_of(result, (a, b)) if K.on_device(result) else K.asarray(result))


def eq(input, other):
    """input == other, element by element: bool."""
    return _compute(K.equal, *promote("eq", input, other))


def ne(input, other):
    """input != other, element by element: bool."""
    return _compute(K.not_equal, *promote("ne", input, other))


def lt(input, other):
    """input < other, element by element: bool."""
    return _compute(K.less, *promote("lt", input, other))


def le(input, other):
    """input <= other, element by element: bool."""
    return _compute(K.less_equal, *promote("le", input, other))


def gt(input, other):
    """input > other, element by element: bool."""
    return _compute(K.greater, *promote("gt", input, other))


def ge(input, other):
    """input >= other, element by element: bool."""
    return _compute(K.greater_equal, *promote("ge", input, other))


def logical_and(input, other):
    """input != 0 and other != 0."""
    require_tensor("logical_and", other, "other", 2)
    return _compute(K.logical_and, *promote("logical_and", input, other))


def logical_or(input, other):
    """input != 0 or other != 0."""
    require_tensor("logical_or", other, "other", 2)
    return _compute(K.logical_or, *promote("logical_or", input, other))


def logical_xor(input, other):
    """Exactly one of the two is not 0."""
    require_tensor("logical_xor", other, "other", 2)
    return _compute(K.logical_xor, *promote("logical_xor", input, other))


def logical_not(input):
    """input == 0."""
    require_tensor("logical_not", input)
    return Function.as_tensor(K.logical_not(_plain(input)))


def bitwise_and(input, other):
    """input & other, for bools and integers."""
    return _bits("bitwise_and", K.bitwise_and, input, other)


def bitwise_or(input, other):
    """input | other, for bools and integers."""
    return _bits("bitwise_or", K.bitwise_or, input, other)


def bitwise_xor(input, other):
    """input ^ other, for bools and integers."""
    return _bits("bitwise_xor", K.bitwise_xor, input, other)


def bitwise_not(input):
    """~input, for bools and integers."""
    _require_bits("bitwise_not", input)
    return Function.as_tensor(K.invert(input._data))


def _bits(name, ufunc, input, other):
    for x in (input, other):
        _require_bits(name, x)
    return _compute(ufunc, *promote(name, input, other))


def _require_bits(name, x):
    if isinstance(x, float) or (isinstance(x, Variable) and x._data.dtype.kind in "fV"):
        kind = x.dtype.torch_type if isinstance(x, Variable) else "Float"
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind}'; it takes bools and integers")


def isnan(input):
    """Where input is NaN: bool."""
    return _of_float(K.isnan, input, False)


def isinf(input):
    """Where input is infinite: bool."""
    return _of_float(K.isinf, input, False)


def isfinite(input):
    """Where input is neither infinite nor NaN: bool."""
    return _of_float(K.isfinite, input, True)


def _of_float(ufunc, input, for_integers):
    data = _plain(input)
    return Function.as_tensor(ufunc(data) if data.dtype.kind == "f" else K.full_like(data, for_integers, dtype=bool))


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """|input - other| <= atol + rtol * |other|, element by element: bool."""
    rtol, atol = (float(x) if isinstance(x, Variable) else x for x in (rtol, atol))
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
        raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    broadcast_shapes("isclose", input._data.shape, other._data.shape)
    if input._data.dtype != other._data.dtype:
        raise RuntimeError(f"{_torch_type(input)} did not match {_torch_type(other)}")
    a, b = _plain(input), _plain(other)
    close = K.asarray(a == b)
    if rtol or atol:  # else large integers that differ would be one number below, as floats
        if a.dtype.kind != "f":
            a, b = (x.astype(get_default_dtype().numpy) for x in (a, b))
        with np.errstate(all="ignore"):
            difference = K.abs(a - b)
            close = close | ((difference <= atol + K.abs(rtol * b)) & K.isfinite(difference))
    return Function.as_tensor(close | (K.isnan(a) & K.isnan(b)) if equal_nan and a.dtype.kind == "f" else close)


def _torch_type(x):
    return x.dtype.torch_type


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False) -> bool:
    """Whether isclose holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


def equal(input, other) -> bool:
    """Whether shapes and all elements are equal. NaN equals nothing."""
    return input._data.shape == other._data.shape and bool(K.all(_plain(input) == _plain(other)))


_equals = numbers_and_tensors(eq)


class ComparisonMethods:
    eq, ne, lt, le, gt, ge = eq, ne, lt, le, gt, ge
    less, less_equal, greater, greater_equal, not_equal = lt, le, gt, ge, ne
    logical_and, logical_or, logical_xor, logical_not = logical_and, logical_or, logical_xor, logical_not
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not = bitwise_and, bitwise_or, bitwise_xor, bitwise_not
    isnan, isinf, isfinite, isclose, allclose, equal = isnan, isinf, isfinite, isclose, allclose, equal
    # these are no part of the graph, and torch lets them write where others may not
    logical_and_, logical_or_ = no_grad()(inplace(logical_and)), no_grad()(inplace(logical_or))
    logical_xor_, logical_not_ = no_grad()(inplace(logical_xor)), no_grad()(inplace(logical_not))
    bitwise_and_, bitwise_or_, bitwise_xor_ = inplace(bitwise_and), inplace(bitwise_or), inplace(bitwise_xor)
    bitwise_not_ = inplace(bitwise_not)
    eq_, ne_, lt_, le_, gt_, ge_ = inplace(eq), inplace(ne), inplace(lt), inplace(le), inplace(gt), inplace(ge)
    not_equal_, less_, less_equal_, greater_, greater_equal_ = ne_, lt_, le_, gt_, ge_

    def __eq__(self, other):
        if isinstance(other, np.ndarray):
            other = Function.as_tensor(other)
        return _equals(self, other)

    __ne__ = numbers_and_tensors(ne)
    __lt__, __le__ = numbers_and_tensors(lt), numbers_and_tensors(le)
    __gt__, __ge__ = numbers_and_tensors(gt), numbers_and_tensors(ge)
    __and__ = __rand__ = numbers_and_tensors(bitwise_and)
    __or__ = __ror__ = numbers_and_tensors(bitwise_or)
    __xor__ = __rxor__ = numbers_and_tensors(bitwise_xor)

    def __invert__(self: Any):
        if self._data.dtype.kind in "fV":
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return bitwise_not(self)

    __iand__, __ior__, __ixor__ = (numbers_and_tensors(inplace(f)) for f in (bitwise_and, bitwise_or, bitwise_xor))
