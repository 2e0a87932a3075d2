"""Binomial, and what it shares with NegativeBinomial."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from ..autograd import no_grad
from ..core import rejection
from ..core.function import Function
from ..creation import arange
from ..functions import lgamma
from ..nn.functional import logsigmoid
from ..ops.random import accepted
from . import constraints
from .bernoulli import _OfProbability, enumerated, require_one
from .utils import broadcast_all

__all__ = ["Binomial"]


class _OfTrials(_OfProbability):
    """Given by `total_count`, and by `probs` or by `logits`, the log odds: numbers or tensors, broadcast."""

    _parameters = ("total_count", "probs", "logits")

    def __init__(self, total_count, probs=None, logits=None, validate_args: bool | None = None):
        require_one(probs, logits)
        count, param = broadcast_all(total_count, logits if probs is None else probs)
        self.total_count = count.to(param.dtype)
        super().__init__(None if probs is None else param, None if logits is None else param, validate_args)


class Binomial(_OfTrials):
    """How many of `total_count` trials succeed, each with probability `probs`; or by `logits`, its log odds.

    One seed gives torch's samples, which are drawn on the CPU alone and have the parameter's dtype. entropy and
    enumerate_support raise NotImplementedError where total_count is not the same everywhere.
    """

    arg_constraints: ClassVar = {"total_count": constraints.nonnegative_integer, **_OfTrials.arg_constraints}
    has_enumerate_support = True
    _parameters = ("total_count", "probs", "logits")

    def __init__(self, total_count=1, probs=None, logits=None, validate_args: bool | None = None):
        super().__init__(total_count, probs, logits, validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with no_grad():
            count, probs = self.total_count.expand(shape), self.probs.expand(shape)
        draw = functools.partial(rejection.binomial, probs=probs._data)
        return Function.as_tensor(accepted("binomial", draw, count._data))

    def log_prob(self, value):
        self._check(value)
        n = self.total_count
        log_norm = -n * logsigmoid(-self.logits) - lgamma(n + 1)
        return value * self.logits - lgamma(value + 1) - lgamma(n - value + 1) - log_norm

    def entropy(self):
        log_prob = self.log_prob(self._outcomes("entropy", expand=False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        return self._outcomes("enumerate_support", expand)

    def _outcomes(self, asked: str, expand: bool):
        n = int(self.total_count.max())
        if self.total_count.min() != n:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{asked}`.")
        return enumerated(self, arange(1 + n, dtype=self._param.dtype, device=self._param.device), expand)
