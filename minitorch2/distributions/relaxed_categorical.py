"""RelaxedOneHotCategorical: a one-hot vector made continuous, so that it has a gradient.

Source: Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017; and see relaxed_bernoulli.py.
"""

from __future__ import annotations

from typing import ClassVar

from ..creation import full_like
from ..functions import broadcast_tensors
from ..random import rand
from . import constraints
from .categorical import _OfCategories
from .relaxed_bernoulli import _Relaxed
from .transforms import ExpTransform
from .utils import clamp_probs

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(_OfCategories):
    """The log of a RelaxedOneHotCategorical's samples: logits and Gumbel noise, divided by the temperature."""

    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args: bool | None = None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, self._get_checked_instance(ExpRelaxedCategorical, _instance))
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape=()):
        u = clamp_probs(rand(self._extended_shape(sample_shape), dtype=self.logits.dtype, device=self.logits.device))
        scores = (self.logits - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, keepdim=True)

    def log_prob(self, value):
        self._check(value)
        k = self._event_shape[0]
        logits, value = broadcast_tensors(self.logits, value)
        log_scale = full_like(self.temperature, float(k)).lgamma() + self.temperature.log() * (k - 1)
        score = logits - value * self.temperature
        return (score - score.logsumexp(-1, keepdim=True)).sum(-1) + log_scale


class RelaxedOneHotCategorical(_Relaxed):
    """Shares of 1, and the nearer to a one-hot vector the lower the `temperature`, a tensor; by `probs` or `logits`."""

    arg_constraints: ClassVar = ExpRelaxedCategorical.arg_constraints
    support = constraints.simplex
    base_dist: ExpRelaxedCategorical

    def __init__(self, temperature, probs=None, logits=None, validate_args: bool | None = None):
        super().__init__(ExpRelaxedCategorical(temperature, probs, logits), ExpTransform(), validate_args)

    def expand(self, batch_shape, _instance=None):
        return super().expand(batch_shape, self._get_checked_instance(RelaxedOneHotCategorical, _instance))
