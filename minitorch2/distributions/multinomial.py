"""Multinomial."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import no_grad
from ..core.dtypes import finfo
from ..creation import arange
from ..functions import broadcast_tensors, lgamma, where
from ..nn.functional import one_hot
from . import constraints
from .categorical import _OfCategories

__all__ = ["Multinomial"]


class Multinomial(_OfCategories):
    """How often each category comes up in `total_count` draws, by `probs` or by `logits`, as for Categorical.

    Samples have the parameter's dtype, and shape ... + (K,). NotImplementedError for a total_count that is no int.
    """

    def __init__(self, total_count: int = 1, probs=None, logits=None, validate_args: bool | None = None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, self._get_checked_instance(Multinomial, _instance))
        new.total_count = self.total_count
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with no_grad():
            drawn = self._categorical.sample((self.total_count, *sample_shape))
            return one_hot(drawn, self._event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_tensors(self.logits, value)
        logits = where((value == 0) & (logits == -float("inf")), 0.0, logits)  # never, and never seen: 0, not nan
        ways = lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self):
        """n H - log n! + sum over categories of E[log x!], where H is one draw's entropy and x binomial."""
        n = self.total_count
        x = arange(n + 1, dtype=self.probs.dtype, device=self.probs.device).reshape((-1,) + (1,) * self.probs.ndim)
        probs = self.probs.clamp(min=finfo(self.probs.dtype).tiny, max=1 - finfo(self.probs.dtype).eps)
        ways = math.lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        weights = (ways + x * probs.log() + (n - x) * (-probs).log1p()).exp()
        return n * self._categorical.entropy() - math.lgamma(n + 1) + (weights * lgamma(x + 1)).sum((0, -1))
