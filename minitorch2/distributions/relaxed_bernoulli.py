"""RelaxedBernoulli: a Bernoulli variable made continuous, so that it has a gradient.

Source: Maddison, Mnih and Teh, "The concrete distribution: a continuous relaxation of discrete random variables", 2017.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..random import rand
from . import constraints
from .bernoulli import _OfProbability
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import broadcast_all, clamp_probs

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(_OfProbability):
    """The log odds of a RelaxedBernoulli's samples: logits and logistic noise, divided by the temperature."""

    support = constraints.real
    has_rsample = True
    _parameters = ("probs", "logits")

    def __init__(self, temperature, probs=None, logits=None, validate_args: bool | None = None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, self._get_checked_instance(LogitRelaxedBernoulli, _instance))
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(rand(shape, dtype=probs.dtype, device=probs.device))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        diff = logits - value * self.temperature
        return self.temperature.log() + diff - 2 * diff.exp().log1p()


class _Relaxed(TransformedDistribution):
    """Of a base that has a temperature and is given by `probs` or by `logits`."""

    @property
    def temperature(self) -> Any:
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        return self.base_dist.probs


class RelaxedBernoulli(_Relaxed):
    """Between 0 and 1, and the nearer to either the lower the `temperature`, a tensor; by `probs` or by `logits`."""

    arg_constraints: ClassVar = LogitRelaxedBernoulli.arg_constraints
    support = constraints.unit_interval
    base_dist: LogitRelaxedBernoulli

    def __init__(self, temperature, probs=None, logits=None, validate_args: bool | None = None):
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args)

    def expand(self, batch_shape, _instance=None):
        return super().expand(batch_shape, self._get_checked_instance(RelaxedBernoulli, _instance))
