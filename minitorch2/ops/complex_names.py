"""What programs for complex and real tensors alike ask and do. All tensors here are real, and their own conjugates."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Elementwise
from ._common import Zeros, require_tensor, to_float


def real(input):
    """input itself."""
    require_tensor("real", input)
    return input


def imag(input):
    """RuntimeError, as in torch: a tensor that is not complex has no imaginary part."""
    require_tensor("imag", input)
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


class Angle(Elementwise):
    """pi where x is negative, 0 elsewhere; NaN stays NaN."""

    flat = (0,)

    @staticmethod
    def forward(ctx, x):
        return K.where(x < 0, x.dtype.type(math.pi), K.where(x != x, x, x.dtype.type(0)))

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g)


def angle(input):
    """The angle of a number to the positive axis: pi where input is negative, else 0."""
    require_tensor("angle", input)
    return Angle.apply(to_float(input))


def conj(input):
    """input itself."""
    require_tensor("conj", input)
    return input


def conj_physical(input):
    """input itself."""
    require_tensor("conj_physical", input)
    return input


def resolve_conj(input):
    """input itself."""
    require_tensor("resolve_conj", input)
    return input


def resolve_neg(input):
    """input itself."""
    require_tensor("resolve_neg", input)
    return input


def isreal(input):
    """True everywhere."""
    return input == input if input._data.dtype.kind in "biu" else (input == input).logical_or(input != input)


def is_conj(input) -> bool:
    """Always False."""
    require_tensor("is_conj", input)
    return False


def is_neg(input) -> bool:
    """Always False."""
    require_tensor("is_neg", input)
    return False


def _real_part(self):
    return self


def _set_real_part(self, value):
    self.copy_(value)


class ComplexNameMethods:
    conj, conj_physical, resolve_conj, resolve_neg = conj, conj_physical, resolve_conj, resolve_neg
    isreal, is_conj, is_neg, angle = isreal, is_conj, is_neg, angle
    real = property(_real_part, _set_real_part, doc="The tensor itself.")
    imag = property(imag)
