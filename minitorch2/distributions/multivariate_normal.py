"""MultivariateNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..creation import eye
from ..functions import broadcast_shapes, flip
from ..linalg import cholesky, solve_triangular
from . import constraints
from .distribution import Distribution, standard_normal
from .utils import lazy_property

__all__ = ["MultivariateNormal"]

_MATRICES = ("covariance_matrix", "precision_matrix", "scale_tril")


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers with mean `loc`, batch_shape + (n,), and exactly one of

    covariance_matrix; precision_matrix, its inverse; scale_tril, its lower Cholesky factor: batch_shape + (n, n).

    ValueError for none or several of them, and for too few dims. The others are worked out when asked for.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = ("loc", *_MATRICES, "_tril")

    def __init__(
        self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args: bool | None = None
    ):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = zip(_MATRICES, (covariance_matrix, precision_matrix, scale_tril), strict=True)
        given = [(name, matrix) for name, matrix in given if matrix is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given
        if matrix.ndim < 2:
            named = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{named} must be at least two-dimensional, with optional leading batch dimensions")
        batch_shape = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        self.loc = loc.expand((*batch_shape, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args)
        self._tril = self._factor(name, matrix).expand((*batch_shape, -1, -1))

    def _factor(self, name, matrix):
        """The covariance's lower Cholesky factor."""
        if name == "scale_tril":
            return matrix
        if name == "covariance_matrix":
            return cholesky(matrix)
        # P = U U^T with U upper triangular, by Cholesky's method from the last row up; the inverse is U^-T U^-1.
        upper = flip(cholesky(flip(matrix, (-2, -1))), (-2, -1))
        return solve_triangular(upper.mT, self._identity(), upper=False)

    @lazy_property
    def scale_tril(self) -> Any:
        return self._tril

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self._tril @ self._tril.mT

    @lazy_property
    def precision_matrix(self) -> Any:
        inverse = solve_triangular(self._tril, self._identity(), upper=False)
        return inverse.mT @ inverse

    def _identity(self):
        return eye(self._event_shape[0], dtype=self.loc.dtype, device=self.loc.device)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return (self._tril**2).sum(-1)

    def rsample(self, sample_shape=()):
        eps = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._tril @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        self._check(value)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._distance(value)) - self._half_log_det()

    def _distance(self, value):
        """The squared distance from the mean in standard deviations (Mahalanobis's): |L^-1 (value - mean)|^2."""
        from_mean = (value - self.loc).unsqueeze(-1)
        return (solve_triangular(self._tril, from_mean, upper=False) ** 2).sum((-2, -1))

    def _half_log_det(self):
        return self._tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self):
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
