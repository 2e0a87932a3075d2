"""The operator forms of functions of two operands."""

from __future__ import annotations

from ..core.variable import Variable
from ._common import is_number


def numbers_and_tensors(function):
    """The operator form: NotImplemented for anything that is neither, so that Python tries the other operand."""

    def operator(self, other):
        if isinstance(other, Variable) or is_number(other):
            return function(self, other)
        return NotImplemented

    operator.__name__ = function.__name__
    return operator


def reflected(function):
    """The form for the operand on the right: function(other, self)."""

    def operator(self, other):
        return function(other, self) if is_number(other) or isinstance(other, Variable) else NotImplemented

    return operator
