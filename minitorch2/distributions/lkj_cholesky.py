"""LKJCholesky: correlation matrices, by their Cholesky factors.

Source: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and extended onion
method", Journal of Multivariate Analysis 100 (2009).
"""

from __future__ import annotations

import math
from typing import ClassVar

from ..autograd import no_grad
from ..core.dtypes import finfo
from ..creation import arange
from ..functions import cat, lgamma, mvlgamma
from . import constraints
from .beta import Beta
from .distribution import Distribution, standard_normal
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """The lower Cholesky factors of dim x dim correlation matrices of density proportional to det**(concentration - 1).

    concentration: positive, a number or a tensor; 1 makes all correlation matrices as likely. ValueError for a dim
    below 2.
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration=1.0, validate_args: bool | None = None):
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        before = arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        before = cat([before.new_zeros(1), before])  # how many elements are free in the row above each
        self._beta = Beta(before + 0.5, (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1) - 0.5 * before)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(LKJCholesky, _instance)
        new.dim, new.concentration = self.dim, self.concentration.expand(batch_shape)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return self._shaped(new, batch_shape)

    def sample(self, sample_shape=()):
        """Each row points where normal numbers do, at a length that Beta draws; the diagonal fills it up to 1."""
        with no_grad():
            squared_length = self._beta.sample(sample_shape).unsqueeze(-1)
            row = standard_normal(self._extended_shape(sample_shape), squared_length).tril(-1)
            row = row / row.norm(dim=-1, keepdim=True)
            row[..., 0, :] = 0.0  # nothing is free in the first one: 0 / 0
            row = squared_length.sqrt() * row
            rest = (1 - (row**2).sum(-1)).clamp(min=finfo(row.dtype).tiny)
            return row + rest.sqrt().diag_embed()

    def log_prob(self, value):
        """The density of the matrix, and the Jacobian of it to its factor, which is prod(L_ii ** (dim - i))."""
        self._check(value)
        before = self.dim - 1
        column = arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - column
        unscaled = (order * value.diagonal(dim1=-2, dim2=-1)[..., 1:].log()).sum(-1)
        alpha = self.concentration + 0.5 * before
        log_norm = 0.5 * before * math.log(math.pi) + mvlgamma(alpha - 0.5, before) - before * lgamma(alpha)
        return unscaled - log_norm
