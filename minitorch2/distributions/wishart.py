"""Wishart."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from ..core.dtypes import finfo
from ..core.size import Size
from ..creation import arange, tensor
from ..functions import broadcast_shapes, cholesky_solve, digamma, mvlgamma, tril_indices, where
from ..linalg import slogdet
from ..tensor import Tensor
from . import constraints
from .chi2 import Chi2
from .distribution import standard_normal
from .exp_family import ExponentialFamily
from .multivariate_normal import OfCovariance, given_matrix, lower_factor

__all__ = ["Wishart"]

_TRIES = 10


class Wishart(ExponentialFamily, OfCovariance):
    """Of the sum of x x^T over `df` normal vectors x of p numbers with mean 0 and exactly one of

    covariance_matrix; precision_matrix, its inverse; scale_tril, its lower Cholesky factor: batch_shape + (p, p).

    df: above p - 1, a number or a tensor, and need not be whole. AssertionError for none or several of the matrices;
    ValueError for one of too few dims and for a smaller df.
    """

    support = constraints.positive_definite
    has_rsample = True
    _parameters = ("covariance_matrix", "precision_matrix", "scale_tril", "df")
    _mean_carrier_measure: ClassVar = 0

    def __init__(
        self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args: bool | None = None
    ):
        given = given_matrix(covariance_matrix, precision_matrix, scale_tril)
        if given is None:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = given
        if matrix.ndim < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        given_df = df if isinstance(df, Tensor) else tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch_shape, p = broadcast_shapes(matrix.shape[:-2], given_df.shape), matrix.shape[-1]
        if (given_df <= p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        if (given_df < p).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        self.df = given_df.expand(batch_shape)
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        super().__init__(batch_shape, matrix.shape[-2:], validate_args)
        self._unbroadcasted_scale_tril = lower_factor(name, matrix)

    @property
    def arg_constraints(self) -> Any:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    @property
    def _df_of_matrix(self):
        return self.df[..., None, None]

    @property
    def mean(self) -> Any:
        return self._df_of_matrix * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self._df_of_matrix - self._event_shape[-1] - 1
        return where(factor <= 0, math.nan, factor) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        diagonal = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        products = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._df_of_matrix * (self.covariance_matrix**2 + products)

    def rsample(self, sample_shape=(), max_try_correction: int | None = None):
        """Samples; a UserWarning where one is singular but for rounding, so that its log_prob may be -inf.

        torch draws again, up to max_try_correction times (10), but begins with the samples that are not singular. One
        seed is to give its samples, so the first ones are thrown away here as well.
        """
        sample = self._bartlett(Size(sample_shape))
        drawn_again = self._any_of_batch(self.support.check(sample))
        for _ in range(_TRIES if max_try_correction is None else max_try_correction):
            if not drawn_again.any():
                break
            new = self._bartlett(drawn_again[drawn_again].shape)
            sample[drawn_again] = new
            singular = drawn_again.clone()
            singular[drawn_again] = self._any_of_batch(~self.support.check(new))
            drawn_again = singular
        if not self.support.check(sample).all():
            warnings.warn("Singular sample detected.", stacklevel=2)
        return sample

    def _any_of_batch(self, answers):
        return answers.any(tuple(range(-len(self._batch_shape), 0))) if self._batch_shape else answers

    def _bartlett(self, sample_shape):
        """L A (L A)^T, where the triangle A has the roots of Chi2 numbers on its diagonal and normal ones below it."""
        p = self._event_shape[-1]
        factor = self._unbroadcasted_scale_tril
        before = arange(p, dtype=factor.dtype, device=factor.device)
        roots = Chi2(self.df.unsqueeze(-1) - before).rsample(sample_shape).sqrt()
        triangle = roots.clamp(min=finfo(roots.dtype).eps).diag_embed()
        row, column = tril_indices(p, p, offset=-1)
        triangle[..., row, column] = standard_normal((*sample_shape, *self._batch_shape, p * (p - 1) // 2), roots)
        factor = factor @ triangle
        return factor @ factor.mT

    def log_prob(self, value):
        self._check(value)
        p = self._event_shape[-1]
        trace = cholesky_solve(value, self._unbroadcasted_scale_tril).diagonal(dim1=-2, dim2=-1).sum(-1)
        log_norm = self.df * self._half_log_det_of_2() + mvlgamma(self.df / 2, p)
        return (self.df - p - 1) / 2 * slogdet(value).logabsdet - trace / 2 - log_norm

    def _half_log_det_of_2(self):
        """Half the log of det(2 Q)."""
        return self._event_shape[-1] * math.log(2) / 2 + self._half_log_det()

    def entropy(self):
        p, half = self._event_shape[-1], self.df / 2
        steps = arange(p, dtype=half.dtype, device=half.device) / 2
        mean_log = digamma(half.unsqueeze(-1) - steps).sum(-1)
        return (
            (p + 1) * self._half_log_det_of_2() + mvlgamma(half, p) - (self.df - p - 1) / 2 * mean_log + self.df * p / 2
        )

    @property
    def _natural_params(self) -> Any:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, *natural_params):
        of_matrix, of_log_det = natural_params
        p = self._event_shape[-1]
        half_df = of_log_det + (p + 1) / 2
        return half_df * (p * math.log(2) - slogdet(-2 * of_matrix).logabsdet) + mvlgamma(half_df, p)
