"""Geometric."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from ..core.dtypes import finfo
from ..creation import zeros_like
from ..functions import where
from ..nn.functional import binary_cross_entropy_with_logits
from . import constraints
from .bernoulli import _OfProbability
from .distribution import uniform
from .utils import broadcast_all

__all__ = ["Geometric"]


class Geometric(_OfProbability):
    """The number of failures before a first success of probability `probs`, 0, 1, 2 ...; or by `logits`, log odds."""

    support = constraints.nonnegative_integer
    _parameters = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None):
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None:
            self._require_positive()

    def _require_positive(self):
        valid = self.probs > 0
        if not valid.all():
            raise ValueError(
                f"Expected parameter probs ({type(self.probs).__name__} of shape {tuple(self.probs.shape)}) of "
                f"distribution {self!r} to be positive but found invalid values:\n{self.probs[~valid]}"
            )

    @property
    def mean(self) -> Any:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=()):
        with no_grad():
            u = uniform(self._extended_shape(sample_shape), self.probs, finfo(self.probs.dtype).tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._check(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)  # of probability 1, though 0 * log(1 - 1) is nan
        return value * where(certain, 0.0, -probs).log1p() + self.probs.log()

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
