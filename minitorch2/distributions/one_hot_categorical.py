"""OneHotCategorical, and its samples with a straight-through gradient."""

from __future__ import annotations

from typing import Any

from ..creation import eye
from ..nn.functional import one_hot
from . import constraints
from .categorical import _OfCategories

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(_OfCategories):
    """Vectors of a single 1, at a category drawn in proportion to `probs`; or by `logits`, log probabilities.

    probs, logits: batch_shape + (K,), as for Categorical. Samples have their dtype, and shape ... + (K,).
    """

    support = constraints.one_hot
    has_enumerate_support = True

    def expand(self, batch_shape, _instance=None):
        return super().expand(batch_shape, self._get_checked_instance(OneHotCategorical, _instance))

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return self._vectors(self._categorical.mode)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def _vectors(self, categories):
        return one_hot(categories, self._event_shape[0]).to(self.probs.dtype)

    def sample(self, sample_shape=()):
        return self._vectors(self._categorical.sample(sample_shape))

    def log_prob(self, value):
        self._check(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        k = self._event_shape[0]
        values = eye(k, dtype=self.probs.dtype, device=self.probs.device)
        values = values.reshape((k,) + (1,) * len(self.batch_shape) + (k,))
        return values.expand((k, *self.batch_shape, k)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose rsample has the gradient of `probs`.

    Source: Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons for
    conditional computation", 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape=()):
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
