"""Gamma."""

from __future__ import annotations

from typing import Any, ClassVar

from ..autograd import no_grad
from ..core.dtypes import finfo
from ..functions import digamma, lgamma
from ..ops.random import standard_gamma
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["Gamma"]


class Gamma(Distribution):
    """The gamma distribution of shape `concentration` and mean concentration / rate; numbers or tensors, broadcast.

    sample draws torch's numbers; rsample is not supported, since samples have no gradient here.
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    _parameters = ("concentration", "rate")

    def __init__(self, concentration, rate, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate**2

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with no_grad():
            value = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
            return value.clamp_(min=finfo(value.dtype).tiny)

    def rsample(self, sample_shape=()):
        raise refused_rsample(self)

    def log_prob(self, value):
        self._check(value)
        return (
            self.concentration.xlogy(self.rate)
            + (self.concentration - 1).xlogy(value)
            - self.rate * value
            - lgamma(self.concentration)
        )

    def cdf(self, value):
        raise NotImplementedError(
            f"minitorch2: {type(self).__name__}.cdf is not supported, since it needs the incomplete gamma function"
        )

    def entropy(self):
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1.0 - a) * digamma(a)


def refused_rsample(distribution) -> NotImplementedError:
    """Samples made by rejection are no simple function of the parameters."""
    return NotImplementedError(
        f"minitorch2: {type(distribution).__name__}.rsample is not supported; sample() gives the same numbers without "
        "a gradient, log_prob() of them has one"
    )
