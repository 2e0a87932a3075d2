"""Bernoulli, and what it shares with others that are given by probabilities or by log odds."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..autograd import no_grad
from ..creation import arange
from ..functions import bernoulli, where
from ..nn.functional import binary_cross_entropy_with_logits
from . import constraints
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Bernoulli"]


class _OfProbability(Distribution):
    """Given by `probs` or by `logits`, the log odds: a number or a tensor. The other one is worked out when asked for.

    ValueError unless exactly one of them is given.
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    _parameters = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None):
        require_one(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def _param(self) -> Any:
        return self.probs if "probs" in vars(self) else self.logits

    @property
    def param_shape(self):
        return self._param.shape


class Bernoulli(_OfProbability, ExponentialFamily):
    """1 with probability `probs`, else 0; or by `logits`, the log odds of 1. Samples have the parameter's dtype."""

    support = constraints.boolean
    has_enumerate_support = True
    _parameters = ("probs", "logits")

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:  # nan where both values are as likely
        return where(self.probs == 0.5, math.nan, (self.probs >= 0.5).to(self.probs.dtype))

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        return enumerated(self, arange(2, dtype=self._param.dtype, device=self._param.device), expand)


def require_one(probs, logits) -> None:
    """ValueError unless exactly one of the two is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def enumerated(distribution, values, expand: bool):
    """The values, shape (n,), along a new first dim before the batch's dims, which are expanded or left at 1."""
    batch_shape = distribution.batch_shape
    values = values.reshape((-1,) + (1,) * len(batch_shape))
    return values.expand((-1, *batch_shape)) if expand else values
