"""TransformedDistribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ..autograd import no_grad
from ..core.size import Size
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import _sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of t_n(...t_1(x)...) for x of `base_distribution`.

    log_prob(y) is that of x less the log of the Jacobian. Where a transform's events have more dims than the base's,
    dims of the batch become the event's. ValueError where `transforms` are none, or the base has too few dims.
    """

    arg_constraints: ClassVar = {}

    def __init__(self, base_distribution: Distribution, transforms, validate_args: bool | None = None):
        self.transforms = _as_list(transforms)
        whole = ComposeTransform(self.transforms)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        domain_dims = whole.domain.event_dim
        if len(shape) < domain_dims:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {domain_dims}, but got {shape}."
            )
        base_dims = len(base_distribution.event_shape)
        result_shape = Size(whole.forward_shape(shape))
        wanted = Size(whole.inverse_shape(result_shape))  # wider than the shape where a parameter of a transform is
        if wanted != shape:
            base_distribution = base_distribution.expand(wanted[: len(wanted) - base_dims])
        if domain_dims > base_dims:
            base_distribution = Independent(base_distribution, domain_dims - base_dims)
        self.base_dist: Any = base_distribution
        cut = len(result_shape) - max(whole.codomain.event_dim, base_dims + whole.codomain.event_dim - domain_dims)
        super().__init__(result_shape[:cut], result_shape[cut:], validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(TransformedDistribution, _instance)
        batch_shape = Size(batch_shape)
        shape = Size(ComposeTransform(self.transforms).inverse_shape(batch_shape + self.event_shape))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        new.transforms = self.transforms
        return self._shaped(new, batch_shape)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        extra = len(self.event_shape) - support.event_dim
        return constraints.independent(support, extra) if extra > 0 else support

    @property
    def has_rsample(self) -> Any:
        return self.base_dist.has_rsample

    def sample(self, sample_shape=()):
        with no_grad():
            return self._forth(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=()):
        return self._forth(self.base_dist.rsample(sample_shape))

    def _forth(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    def _back(self, value):
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return value

    def log_prob(self, value):
        self._check(value)
        event_dim, jacobians, y = len(self.event_shape), 0.0, value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            outer = event_dim - transform.domain.event_dim
            jacobians = jacobians - _sum_rightmost(transform.log_abs_det_jacobian(x, y), outer)
            y = x
        return jacobians + _sum_rightmost(self.base_dist.log_prob(y), event_dim - len(self.base_dist.event_shape))

    def cdf(self, value):
        self._check(value)
        return self._turned(self.base_dist.cdf(self._back(value)))

    def icdf(self, value):
        return self._forth(self.base_dist.icdf(self._turned(value)))

    def _turned(self, probability):
        """1 - probability where the transforms, taken together, fall."""
        sign = ComposeTransform(self.transforms).sign
        return probability if isinstance(sign, int) and sign == 1 else sign * (probability - 0.5) + 0.5


def _as_list(transforms) -> list[Transform]:
    if isinstance(transforms, Transform):
        return [transforms]
    if not isinstance(transforms, list):
        raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
    if not all(isinstance(t, Transform) for t in transforms):
        raise ValueError("transforms must be a Transform or a list of Transforms")
    return transforms
