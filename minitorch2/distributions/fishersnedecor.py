"""FisherSnedecor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core.dtypes import finfo
from ..functions import lgamma, where
from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .utils import broadcast_all

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The F distribution: the ratio of two Chi2 variables of df1 and df2 degrees of freedom, each divided by those.

    Numbers or tensors, broadcast.
    """

    arg_constraints: ClassVar = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = ("df1", "df2")

    def __init__(self, df1, df2, validate_args: bool | None = None):
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return where(self.df2 <= 2, math.nan, self.df2 / (self.df2 - 2))

    @property
    def mode(self) -> Any:
        return where(self.df1 <= 2, math.nan, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2))

    @property
    def variance(self) -> Any:
        a, b = self.df1, self.df2
        return where(b <= 4, math.nan, 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4)))

    def rsample(self, sample_shape=()):
        above, below = (Gamma(df * 0.5, df, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2))
        return (above / below).clamp(min=finfo(above.dtype).tiny)

    def log_prob(self, value):
        self._check(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        log_norm = lgamma(a + b) - lgamma(a) - lgamma(b) + a * ratio.log()
        return log_norm + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
