"""Categorical, and what others over categories share, which draw from one."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core.dtypes import finfo
from ..core.size import Size
from ..creation import arange, full
from ..functions import broadcast_tensors, multinomial
from . import constraints
from .bernoulli import enumerated, require_one
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Categorical"]


class Categorical(Distribution):
    """Category numbers 0 ... K-1, int64, drawn in proportion to `probs`; or by `logits`, log probabilities.

    probs, logits: batch_shape + (K,). They need not be normalized; the attributes of these names are. ValueError unless
    exactly one of them is given, with at least one dim.
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _parameters = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None):
        require_one(probs, logits)
        given: Any
        name, given = ("probs", probs) if probs is not None else ("logits", logits)
        if given.ndim < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits)

    @property
    def _param(self) -> Any:
        return self.probs if "probs" in vars(self) else self.logits

    @property
    def param_shape(self) -> Size:
        return self._param.shape

    @property
    def _num_events(self) -> int:
        return self._param.shape[-1]

    @property
    def mean(self) -> Any:  # category numbers are names; they have no mean
        return full(self._extended_shape(), math.nan, dtype=self.probs.dtype, device=self.probs.device)

    @property
    def mode(self) -> Any:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Any:
        return self.mean

    def sample(self, sample_shape=()):
        shape = Size(sample_shape)
        rows = self.probs.reshape(-1, self._num_events)
        drawn = multinomial(rows, shape.numel(), replacement=True)  # (batch, samples)
        return drawn.T.reshape(self._extended_shape(shape))

    def log_prob(self, value):
        self._check(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self):
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)  # a logit of -inf adds 0, not nan
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return enumerated(self, arange(self._num_events, device=self._param.device), expand)


class _OfCategories(Distribution):
    """Given by a Categorical's `probs` or `logits`; its events are vectors, a number for each category."""

    arg_constraints: ClassVar = Categorical.arg_constraints

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(_OfCategories, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return self._shaped(new, Size(batch_shape))

    @property
    def logits(self) -> Any:
        return self._categorical.logits

    @property
    def probs(self) -> Any:
        return self._categorical.probs

    @property
    def param_shape(self) -> Size:
        return self._categorical.param_shape
