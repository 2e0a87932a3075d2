"""MixtureSameFamily."""

from __future__ import annotations

from typing import Any, ClassVar

from ..autograd import no_grad
from ..core.size import Size
from ..functions import logsumexp
from . import constraints
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A component is drawn by `mixture_distribution`, a Categorical over K, and then a sample from that component.

    component_distribution: any distribution whose batch_shape ends in K. ValueError where the two do not fit.
    """

    arg_constraints: ClassVar = {}

    def __init__(self, mixture_distribution, component_distribution, validate_args: bool | None = None):
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        weights, batch = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        if any(i != j and 1 not in (i, j) for i, j in zip(reversed(weights), reversed(batch), strict=False)):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({weights}) is not compatible with `component_distribution."
                f"batch_shape`({batch})"
            )
        k, k_of_components = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if k != k_of_components:
            raise ValueError(
                f"`mixture_distribution component` ({k}) does not equal `component_distribution.batch_shape[-1]` "
                f"({k_of_components})"
            )
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        super().__init__(batch, component_distribution.event_shape, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        batch_shape = Size(batch_shape)
        components = self._component_distribution
        new._component_distribution = components.expand(batch_shape + components.batch_shape[-1:])
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        return self._shaped(new, batch_shape)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        return self._component_distribution

    @property
    def _dim(self) -> int:
        """The components' dim, counted from the end."""
        return -1 - len(self._event_shape)

    def _weighted(self, x):
        weights = self._mixture_distribution.probs
        weights = weights.reshape(weights.shape + (1,) * len(self._event_shape))
        return (weights * x).sum(self._dim)

    @property
    def mean(self) -> Any:
        return self._weighted(self._component_distribution.mean)

    @property
    def variance(self) -> Any:  # within the components, and between them
        within = self._weighted(self._component_distribution.variance)
        return within + self._weighted((self._component_distribution.mean - self.mean.unsqueeze(self._dim)) ** 2)

    def sample(self, sample_shape=()):
        with no_grad():
            chosen = self._mixture_distribution.sample(sample_shape)
            samples = self._component_distribution.sample(sample_shape)  # (*samples, *batch, K, *event)
            chosen = chosen.reshape(chosen.shape + (1,) * (1 + len(self._event_shape)))
            shape = samples.shape[: self._dim] + Size((1,)) + self._event_shape
            return samples.gather(samples.ndim + self._dim, chosen.expand(shape)).squeeze(self._dim)

    def log_prob(self, value):
        self._check(value)
        log_probs = self._component_distribution.log_prob(value.unsqueeze(self._dim))
        return logsumexp(log_probs + self._mixture_distribution.logits.log_softmax(-1), -1)

    def cdf(self, value):
        self._check(value)
        return (self._component_distribution.cdf(value.unsqueeze(self._dim)) * self._mixture_distribution.probs).sum(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
