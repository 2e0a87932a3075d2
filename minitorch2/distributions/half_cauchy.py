"""HalfCauchy."""

from __future__ import annotations

import math
from typing import Any

from ..creation import full_like
from .cauchy import Cauchy
from .half_normal import _Half

__all__ = ["HalfCauchy"]


class HalfCauchy(_Half):
    """|x| for x of the Cauchy distribution of median 0 and half width `scale`; a number or a tensor.

    Its mean and variance are infinite.
    """

    base_dist: Cauchy

    def __init__(self, scale, validate_args: bool | None = None):
        super().__init__(Cauchy(0, scale, validate_args=False), validate_args)

    def expand(self, batch_shape, _instance=None):
        return super().expand(batch_shape, self._get_checked_instance(HalfCauchy, _instance))

    @property
    def mean(self) -> Any:
        return full_like(self.scale, math.inf)

    @property
    def variance(self) -> Any:
        return self.base_dist.variance
