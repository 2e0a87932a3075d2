"""GeneralizedPareto."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..functions import where
from . import constraints
from .distribution import Distribution, uniform
from .utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What lies above a high threshold `loc`: P(X > x) = (1 + concentration * (x - loc) / scale)**(-1 / concentration).

    Of concentration 0 it is exponential, of a positive one it has a heavy tail, of a negative one an end; that of -1 is
    uniform. Numbers or tensors, broadcast.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    _parameters = ("loc", "scale", "concentration")

    def __init__(self, loc, scale, concentration, validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        end = where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, end)

    @property
    def mean(self) -> Any:
        return self._below(1, lambda c: self.loc + self.scale / (1 - c))

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self._below(0.5, lambda c: self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)))

    def _below(self, limit, formula):
        """formula(concentration) below the limit, from which on the integral is infinite, nan above."""
        finite = self.concentration < limit
        return where(finite, formula(where(finite, self.concentration, limit / 2)), math.nan)

    def _exponential(self):
        """Whether the concentration counts as 0; and it, but for 1 where it does."""
        zero = self.concentration.abs() <= 1e-8
        return zero, where(zero, 1.0, self.concentration)

    def rsample(self, sample_shape=()):
        return self.icdf(uniform(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value):
        self._check(value)
        zero, c = self._exponential()
        z = (value - self.loc) / self.scale
        power = 1 / c + 1
        falls = where(power == 0, 0.0, power * (c * z).log1p())  # a uniform density up to where log1p is -inf
        return -self.scale.log() - where(zero, z, falls)

    def log_survival_function(self, value):
        """The log of the probability of a sample above `value`."""
        self._check(value)
        zero, c = self._exponential()
        z = (value - self.loc) / self.scale
        return -where(zero, z, (c * z).log1p() / c)

    def log_cdf(self, value):
        """The log of cdf."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value):
        return self.log_cdf(value).exp()

    def icdf(self, value):
        zero, c = self._exponential()
        log_above = (-value).log1p()
        return self.loc + self.scale * where(zero, -log_above, (-c * log_above).expm1() / c)

    def entropy(self):
        return self.scale.log() + self.concentration + 1
