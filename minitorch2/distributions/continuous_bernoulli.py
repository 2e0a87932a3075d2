"""ContinuousBernoulli: the Bernoulli distribution's formula made a density over [0, 1].

Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders",
NeurIPS 2019.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..functions import where
from ..nn.functional import binary_cross_entropy_with_logits
from . import constraints
from .bernoulli import _OfProbability
from .distribution import uniform
from .exp_family import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(_OfProbability, ExponentialFamily):
    """Of density proportional to probs**x * (1 - probs)**(1 - x); or by `logits`, the log odds. A number or a tensor.

    Where probs lies within `lims`, about 1/2, where the formulas divide 0 by 0, series are taken instead.
    """

    support = constraints.unit_interval
    has_rsample = True
    _parameters = ("probs", "logits")
    _mean_carrier_measure: ClassVar = 0

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args: bool | None = None):
        if probs is not None and logits is None:
            (probs,) = broadcast_all(probs)
            if validate_args is not None and not constraints.unit_interval.check(probs).all():
                raise ValueError("The parameter probs has invalid values")
            probs = clamp_probs(probs)
        self._lims = lims
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, self._get_checked_instance(ContinuousBernoulli, _instance))
        new._lims = self._lims
        return new

    @lazy_property
    def probs(self) -> Any:
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _piecewise(self, formula, series):
        """formula(probs, its log odds) outside of the limits, series(probs - 1/2) within."""
        low, high = self._lims
        outside = (self.probs <= low) | (self.probs > high)
        probs = where(outside, self.probs, low)  # a gradient of 0 times inf would be nan
        return where(outside, formula(probs, probs.log() - (-probs).log1p()), series(self.probs - 0.5))

    def _log_norm(self):
        """The log of what makes the density's integral 1: log odds / (2 probs - 1)."""
        return self._piecewise(
            lambda p, odds: odds.abs().log() - where(p <= 0.5, 1 - 2 * p, 2 * p - 1).log(),
            lambda x: math.log(2.0) + (4 / 3 + 104 / 45 * x**2) * x**2,
        )

    @property
    def mean(self) -> Any:
        return self._piecewise(lambda p, odds: p / (2 * p - 1) - 1 / odds, lambda x: 0.5 + (1 / 3 + 16 / 45 * x**2) * x)

    @property
    def variance(self) -> Any:
        return self._piecewise(
            lambda p, odds: p * (p - 1) / (1 - 2 * p) ** 2 + 1 / odds**2,
            lambda x: 1 / 12 - (1 / 15 - 128 / 945 * x**2) * x**2,
        )

    def rsample(self, sample_shape=()):
        return self.icdf(uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return self._log_norm() - binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value):
        self._check(value)
        within = self._piecewise(
            lambda p, odds: (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1), lambda x: value
        )
        return where(value <= 0, 0.0, where(value >= 1, 1.0, within))

    def icdf(self, value):
        return self._piecewise(
            lambda p, odds: ((value * (2 * p - 1) - p).log1p() - (-p).log1p()) / odds, lambda x: value
        )

    def entropy(self):
        log_of_0 = (-self.probs).log1p()
        return self.mean * (log_of_0 - self.probs.log()) - self._log_norm() - log_of_0
