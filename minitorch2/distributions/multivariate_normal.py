"""MultivariateNormal, and what it shares with others that are given by a covariance matrix."""

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


def given_matrix(*matrices):
    """(name, matrix) of the only one of _MATRICES that is given, or None."""
    given = [(name, matrix) for name, matrix in zip(_MATRICES, matrices, strict=True) if matrix is not None]
    return given[0] if len(given) == 1 else None


def lower_factor(name, matrix):
    """The lower Cholesky factor of the covariance that the matrix of this name means."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return cholesky(matrix)
    return _precision_to_scale_tril(matrix)


def _precision_to_scale_tril(P):
    # P = U U^T with U upper triangular, by Cholesky's method from the last row up; the inverse is U^-T U^-1.
    upper = flip(cholesky(flip(P, (-2, -1))), (-2, -1))
    return solve_triangular(upper.mT, identity_like(P), upper=False)


def identity_like(matrix):
    return eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


class OfCovariance(Distribution):
    """Sets `_unbroadcasted_scale_tril`, the covariance's lower Cholesky factor, of the batch shape of the matrix that
    was given; the matrices not given are worked out from it."""

    _unbroadcasted_scale_tril: Any

    def expand(self, batch_shape, _instance=None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _of_batch(self, matrix):
        return matrix.expand((*self._batch_shape, -1, -1))

    @lazy_property
    def scale_tril(self) -> Any:
        return self._of_batch(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        factor = self._unbroadcasted_scale_tril
        return self._of_batch(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        factor = self._unbroadcasted_scale_tril
        inverse = solve_triangular(factor, identity_like(factor), upper=False)
        return self._of_batch(inverse.mT @ inverse)

    def _half_log_det(self):
        diagonal = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1)
        return diagonal.log().sum(-1).expand(self._batch_shape)


class MultivariateNormal(OfCovariance):
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
    _parameters = ("loc", *_MATRICES)

    def __init__(
        self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args: bool | None = None
    ):
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = given_matrix(covariance_matrix, precision_matrix, scale_tril)
        if given is None:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = given
        if matrix.ndim < 2:
            named = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{named} must be at least two-dimensional, with optional leading batch dimensions")
        batch_shape = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        self.loc = loc.expand((*batch_shape, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args)
        self._unbroadcasted_scale_tril = lower_factor(name, matrix)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return (self._unbroadcasted_scale_tril**2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        eps = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._unbroadcasted_scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        self._check(value)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._distance(value)) - self._half_log_det()

    def _distance(self, value):
        """The squared distance from the mean in standard deviations (Mahalanobis's): |L^-1 (value - mean)|^2."""
        return self._trace((value - self.loc).unsqueeze(-1))

    @property
    def _root(self):
        """A matrix R that makes the covariance R R^T."""
        return self._unbroadcasted_scale_tril

    def _trace(self, root):
        """tr(Q^-1 R R^T), where Q is the covariance and R is `root`."""
        return (solve_triangular(self._unbroadcasted_scale_tril, root, upper=False) ** 2).sum((-2, -1))

    def entropy(self):
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
