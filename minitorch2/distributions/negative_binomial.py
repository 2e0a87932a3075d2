"""NegativeBinomial."""

from __future__ import annotations

from typing import Any, ClassVar

from ..autograd import no_grad
from ..functions import lgamma, poisson
from ..nn.functional import logsigmoid
from . import constraints
from .binomial import _OfTrials
from .gamma import Gamma

__all__ = ["NegativeBinomial"]


class NegativeBinomial(_OfTrials):
    """How many trials of probability `probs` succeed before `total_count` fail; or by `logits`, its log odds.

    total_count need not be whole. One seed gives torch's samples, which are drawn on the CPU alone.
    """

    arg_constraints: ClassVar = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _parameters = ("total_count", "probs", "logits")

    @property
    def mean(self) -> Any:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Any:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape=()):
        with no_grad():  # a Poisson variable whose rate is gamma distributed; a total_count of 0 is no concentration
            return poisson(Gamma(self.total_count, (-self.logits).exp(), validate_args=False).sample(sample_shape))

    def log_prob(self, value):
        self._check(value)
        n = self.total_count
        ways = lgamma(n + value) - lgamma(1.0 + value) - lgamma(n)
        ways = ways.masked_fill(n + value == 0.0, 0.0)  # nothing to wait for: inf - inf
        return ways + n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
