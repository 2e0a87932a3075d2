"""LowRankMultivariateNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..functions import broadcast_tensors, cat
from ..linalg import cholesky, solve_triangular
from . import constraints
from .distribution import Distribution, standard_normal
from .multivariate_normal import identity_like
from .utils import lazy_property

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers with mean `loc` and covariance W W^T + diag(D).

    loc and cov_diag, which is D: batch_shape + (n,); cov_factor, which is W: batch_shape + (n, m). No matrix larger
    than n x m is made unless scale_tril, covariance_matrix or precision_matrix is asked for. ValueError for too few
    dims, and for shapes that do not fit.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = ("loc", "cov_factor", "cov_diag", "_capacitance_tril")

    def __init__(self, loc, cov_factor, cov_diag, validate_args: bool | None = None):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.ndim < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        try:
            columns = broadcast_tensors(loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1))
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc, self.cov_factor, self.cov_diag = columns[0][..., 0], columns[1], columns[2][..., 0]
        self._capacitance_tril = _capacitance_tril(cov_factor, cov_diag).expand((*self.loc.shape[:-1], -1, -1))
        super().__init__(self.loc.shape[:-1], event_shape, validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @lazy_property
    def variance(self) -> Any:
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    @lazy_property
    def scale_tril(self) -> Any:
        # Of I + V V^T, whose eigenvalues are 1 or more, for the rows V of W divided by the roots of D.
        scale = self.cov_diag.sqrt().unsqueeze(-1)
        rows = self.cov_factor / scale
        return scale * cholesky(rows @ rows.mT + identity_like(rows.mT))

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    @lazy_property
    def precision_matrix(self) -> Any:
        lost = self._whitened(identity_like(self.cov_factor.mT))
        return self.cov_diag.reciprocal().diag_embed() - lost.mT @ lost

    def _whitened(self, x):
        """A x, where the covariance's inverse is D^-1 - A^T A (Woodbury's formula): A = C^-1 W^T D^-1."""
        projected = self.cov_factor.mT @ (x / self.cov_diag.unsqueeze(-1))
        return solve_triangular(self._capacitance_tril, projected, upper=False)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        common = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc).unsqueeze(-1)
        own = standard_normal(shape, self.loc)
        return self.loc + (self.cov_factor @ common).squeeze(-1) + self.cov_diag.sqrt() * own

    def log_prob(self, value):
        self._check(value)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._distance(value)) - self._half_log_det()

    def _distance(self, value):
        """The squared distance from the mean in standard deviations (Mahalanobis's)."""
        return self._trace((value - self.loc).unsqueeze(-1))

    @property
    def _root(self):
        """A matrix R that makes the covariance R R^T."""
        return cat([self.cov_factor, self.cov_diag.sqrt().diag_embed()], -1)

    def _trace(self, root):
        """tr(Q^-1 R R^T), where Q is the covariance and R is `root`."""
        return (root**2 / self.cov_diag.unsqueeze(-1)).sum((-2, -1)) - (self._whitened(root) ** 2).sum((-2, -1))

    def _half_log_det(self):  # the determinant is that of C C^T times that of D
        return self._capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * self.cov_diag.log().sum(-1)

    def entropy(self):
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()


def _capacitance_tril(factor, diagonal):
    """The lower Cholesky factor C of I + W^T D^-1 W."""
    return cholesky(factor.mT @ (factor / diagonal.unsqueeze(-1)) + identity_like(factor))
