"""torch.distributions.constraints: what parameters and samples have to satisfy.

A constraint's `check(value)` gives one bool for each event of `value`. It reads the last `event_dim` dims as one event.
"""

from __future__ import annotations

import builtins
import itertools
from typing import Any

from .. import functions
from ..core.dtypes import finfo
from ..linalg import cholesky_ex, eigvalsh

__all__ = [
    "Constraint",
    "MixtureSameFamilyConstraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]


class Constraint:
    """The base: a region that values may lie in. A subclass gives `check`.

    is_discrete: whether the region is countable. event_dim: how many of the last dims make one event.
    """

    is_discrete: Any = False
    event_dim: Any = 0

    def check(self, value):
        """For each event of `value` whether it lies in the region: bool, of value's shape without its event dims."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it checks")

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name}={bound}" for name, bound in vars(self).items())
        return f"{type(self).__name__.removeprefix('_')}({bounds})"


class _Dependent(Constraint):
    """Depends on the other parameters, so that it can be checked by the distribution's instance alone."""

    def __init__(self, *, is_discrete: Any = None, event_dim: Any = None):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self) -> bool:
        return self._known("is_discrete", self._is_discrete)

    @property
    def event_dim(self) -> int:
        return self._known("event_dim", self._event_dim)

    @staticmethod
    def _known(name, value):
        if value is None:
            raise NotImplementedError(f".{name} cannot be determined statically")
        return value

    def __call__(self, *, is_discrete=None, event_dim=None) -> _Dependent:
        """The same with is_discrete and event_dim filled in."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is None else is_discrete,
            event_dim=self._event_dim if event_dim is None else event_dim,
        )

    def check(self, value):
        raise ValueError("Cannot determine validity of dependent constraint")

    def __repr__(self) -> str:
        return "Dependent()"


class _DependentProperty(builtins.property, _Dependent):
    """A property of a distribution that returns a constraint. Asked of the class, it stands for itself: dependent.

    @dependent_property, or @dependent_property(is_discrete=False, event_dim=0).
    """

    def __init__(self, fget=None, *, is_discrete=None, event_dim=None):
        super().__init__(fget)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fget) -> Any:
        return _DependentProperty(fget, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _Independent(Constraint):
    """The last dims of `base_constraint`'s answers belong to the event: all of them have to be true."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int):
        if reinterpreted_batch_ndims < 0:
            raise AssertionError(f"reinterpreted_batch_ndims must not be negative, got {reinterpreted_batch_ndims}")
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value):
        answer = self.base_constraint.check(value)
        if answer.ndim < self.reinterpreted_batch_ndims:
            raise ValueError(
                f"Expected value.dim() >= {self.base_constraint.event_dim + self.reinterpreted_batch_ndims} "
                f"but got {value.ndim}"
            )
        return answer.reshape((*answer.shape[: answer.ndim - self.reinterpreted_batch_ndims], -1)).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """In the region of every component of a mixture; the components are the base constraint's last batch dim."""

    def __init__(self, base_constraint: Constraint):
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim

    def check(self, value):
        return self.base_constraint.check(value.unsqueeze(-1 - self.event_dim)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _Lower(Constraint):
    def __init__(self, lower_bound):
        self.lower_bound = lower_bound


class _Upper(Constraint):
    def __init__(self, upper_bound):
        self.upper_bound = upper_bound


class _Between(Constraint):
    def __init__(self, lower_bound, upper_bound):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _GreaterThan(_Lower):
    def check(self, value):
        return value > self.lower_bound


class _GreaterThanEq(_Lower):
    def check(self, value):
        return value >= self.lower_bound


class _IntegerGreaterThan(_Lower):
    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


class _LessThan(_Upper):
    def check(self, value):
        return value < self.upper_bound


class _Interval(_Between):
    def check(self, value):
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class _HalfOpenInterval(_Between):
    def check(self, value):
        return (value >= self.lower_bound) & (value < self.upper_bound)


class _IntegerInterval(_Between):
    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound) & (value <= self.upper_bound)


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value):
        return boolean.check(value).all(-1) & (value.sum(-1) == 1)


class _Real(Constraint):
    def check(self, value):
        return value == value  # NaN alone is no number


class _Simplex(Constraint):
    """Not negative, and adding up to 1, but for 1e-6."""

    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(_Upper):
    """Counts that add up to at most the bound."""

    is_discrete = True
    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)

    def __repr__(self) -> str:
        return "Multinomial()"


def _all_of_matrix(answers):
    return answers.all(-1).all(-1)


class _Matrix(Constraint):
    event_dim = 2


class _Square(_Matrix):
    def check(self, value):
        return value.new_full(value.shape[:-2], value.shape[-2] == value.shape[-1]) != 0


class _LowerTriangular(_Matrix):
    def check(self, value):
        return _all_of_matrix(value.tril() == value)


class _LowerCholesky(_Matrix):
    """Lower triangular, with a positive diagonal."""

    def check(self, value):
        return lower_triangular.check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_Matrix):
    """The Cholesky factor of a correlation matrix: its rows have length 1, but for rounding."""

    def check(self, value):
        tolerance = 10 * value.shape[-1] * finfo(value.dtype).eps
        unit_rows = ((value.norm(dim=-1) - 1).abs() < tolerance).all(-1)
        return lower_cholesky.check(value) & unit_rows


class _Symmetric(_Square):
    def check(self, value):
        square_ones = super().check(value)
        if not square_ones.all():
            return square_ones
        return _all_of_matrix((value - value.mT).abs() <= 1e-6 + 1e-5 * value.mT.abs())


class _PositiveDefinite(_Symmetric):
    def check(self, value):
        symmetric_ones = super().check(value)
        if not symmetric_ones.all():
            return symmetric_ones
        return cholesky_ex(value).info == 0


class _PositiveSemidefinite(_Symmetric):
    def check(self, value):
        symmetric_ones = super().check(value)
        if not symmetric_ones.all():
            return symmetric_ones
        return (eigvalsh(value) >= 0).all(-1)


class _OfParts(Constraint):
    """Constraints `cseq`, each for its own part of the values along `dim`."""

    def __init__(self, cseq, dim: int):
        if not all(isinstance(c, Constraint) for c in cseq):
            raise AssertionError("All elements of cseq must be Constraint instances")
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:
        return max(c.event_dim for c in self.cseq)

    def _require_dim(self, value):
        if not -value.ndim <= self.dim < value.ndim:
            raise AssertionError(f"dim {self.dim} out of range for value with {value.ndim} dimensions")

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('_')}()"


class _Cat(_OfParts):
    """For parts of these lengths, 1 unless given, as cat joins them."""

    def __init__(self, cseq, dim: int = 0, lengths=None):
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match cseq ({len(self.cseq)})")

    def check(self, value):
        self._require_dim(value)
        ends = itertools.accumulate(self.lengths)
        parts = zip(self.cseq, ends, self.lengths, strict=True)
        checks = [c.check(value.narrow(self.dim, end - length, length)) for c, end, length in parts]
        return functions.cat(checks, self.dim)


class _Stack(_OfParts):
    """For slices, as stack puts them together."""

    def __init__(self, cseq, dim: int = 0):
        super().__init__(cseq, dim)

    @property
    def event_dim(self) -> int:  # `dim` is one of the event's where it is counted from the end and lies within it
        dims = super().event_dim
        return dims + 1 if self.dim + dims < 0 else dims

    def check(self, value):
        self._require_dim(value)
        checks = [c.check(v) for c, v in zip(self.cseq, value.unbind(self.dim), strict=False)]
        return functions.stack(checks, self.dim)


def is_dependent(constraint) -> bool:
    """Whether the constraint depends on other parameters, so that it cannot be checked by itself."""
    return isinstance(constraint, _Dependent)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _Independent
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_definite = _PositiveDefinite()
positive_semidefinite = _PositiveSemidefinite()
cat = _Cat
stack = _Stack
