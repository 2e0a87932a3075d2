"""Distribution: the base of all of them."""

from __future__ import annotations

import warnings
from typing import Any

from ..autograd import no_grad
from ..core.size import Size
from ..random import randn
from ..tensor import Tensor
from . import constraints
from .utils import LazyProperty, Undefined

__all__ = ["Distribution"]


class Distribution:
    """A batch of probability distributions, of shape batch_shape, over events of shape event_shape.

    A subclass sets its parameters as attributes, names their constraints in `arg_constraints`, and then calls this
    class's __init__, which checks them unless validate_args is False: ValueError for a parameter out of its region.
    With validate_args, log_prob, cdf and the like check their argument as well.

    Subclasses here also name their parameters in `_parameters`, which is all that `expand` has to know.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args: Any = __debug__
    _parameters: tuple[str, ...] = ()

    arg_constraints: Any = Undefined()  # {parameter's name: constraint}
    support: Any = Undefined()  # the constraint that samples satisfy
    mean: Any = Undefined()
    mode: Any = Undefined()
    variance: Any = Undefined()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their arguments unless told otherwise: yes, unless Python runs with -O."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args takes True or False, not {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args: bool | None = None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()
        super().__init__()

    def _validate_parameters(self) -> None:
        try:
            expected = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Set `arg_constraints = {{}}`, or pass "
                "`validate_args=False` to turn the check off.",
                stacklevel=4,
            )
            return
        for name, constraint in expected.items():
            not_given = name not in vars(self) and isinstance(getattr(type(self), name, None), LazyProperty)
            if not_given or constraints.is_dependent(constraint):
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({_described(value)}) of distribution {self!r} to satisfy the "
                    f"constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @property
    def batch_shape(self) -> Size:
        """How many distributions there are, as a shape."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample of one of them."""
        return self._event_shape

    @property
    def stddev(self) -> Any:
        return self.variance.sqrt()

    def expand(self, batch_shape, _instance=None) -> Any:
        """This distribution with its batch expanded to `batch_shape`; the parameters are views (Tensor.expand).

        NotImplementedError for a subclass with an __init__ of its own that does not define expand.
        """
        owner: Any = next((c for c in type(self).__mro__ if vars(c).get("_parameters")), None)
        if owner is None:
            raise NotImplementedError(f"{type(self)} does not implement expand")
        new = self._get_checked_instance(owner, _instance)
        batch_shape = Size(batch_shape)
        for name in owner._parameters:
            if name in vars(self):
                own_dims = getattr(self, name).shape[len(self._batch_shape) :]
                setattr(new, name, getattr(self, name).expand(batch_shape + own_dims))
        return self._shaped(new, batch_shape)

    def _shaped(self, new, batch_shape, event_shape=None):
        """`new` with these shapes and this distribution's choice of validate_args, its parameters unchecked."""
        Distribution.__init__(new, batch_shape, self._event_shape if event_shape is None else event_shape, False)
        new._validate_args = self._validate_args
        return new

    def _get_checked_instance(self, cls, _instance=None) -> Any:
        """What an expand fills in: `_instance`, or a new object of this one's class where `cls` knows its __init__."""
        if _instance is not None:
            return _instance
        if type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method."
            )
        return type(self).__new__(type(self))

    def sample(self, sample_shape=()) -> Tensor:
        """Samples, without gradients: sample_shape + batch_shape + event_shape."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()) -> Tensor:
        """Samples as a differentiable function of the parameters, where has_rsample says that there is one."""
        raise NotImplementedError(f"{type(self)} does not implement rsample")

    def sample_n(self, n: int) -> Tensor:
        """sample((n,)), by its old name."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", category=FutureWarning, stacklevel=2
        )
        return self.sample((n,))

    def log_prob(self, value) -> Tensor:
        """The log of the density (or probability) at `value`: sample_shape + batch_shape."""
        raise NotImplementedError(f"{type(self)} does not implement log_prob")

    def cdf(self, value) -> Tensor:
        """The probability of a sample up to `value`."""
        raise NotImplementedError(f"{type(self)} does not implement cdf")

    def icdf(self, value) -> Tensor:
        """The inverse of cdf."""
        raise NotImplementedError(f"{type(self)} does not implement icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values a sample can have, along a new first dim; with expand=False the batch dims are left at 1."""
        raise NotImplementedError(f"{type(self)} does not implement enumerate_support")

    def entropy(self) -> Tensor:
        """The entropy, of shape batch_shape, in nats."""
        raise NotImplementedError(f"{type(self)} does not implement entropy")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape=()) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _check(self, value) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value) -> None:
        """ValueError unless `value` is a tensor that fits batch_shape + event_shape and lies in the support."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, own_shape = value.shape, self._batch_shape + self._event_shape
        if shape[len(shape) - len(self._event_shape) :] != self._event_shape:
            raise ValueError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        if any(i != j and 1 not in (i, j) for i, j in zip(reversed(shape), reversed(own_shape), strict=False)):
            raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {own_shape}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support`, so samples cannot be checked. Pass `validate_args=False` to "
                "turn the check off.",
                stacklevel=4,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({_described(value)}) to be within the support ({support!r}) of the "
                f"distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        given = {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}
        shown = (f"{name}: {value if value.numel() == 1 else value.shape}" for name, value in given.items())
        return f"{type(self).__name__}({', '.join(shown)})"


def _described(value) -> str:
    return f"{type(value).__name__} of shape {tuple(value.shape)}"


def standard_normal(shape, like) -> Tensor:
    """Standard normal numbers of this shape, in dtype and on the device of the tensor `like`."""
    return randn(shape, dtype=like.dtype, device=like.device)


def uniform(shape, like, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers uniform in [low, high), of this shape, in dtype and on the device of the tensor `like`."""
    return like.new_empty(shape).uniform_(low, high)
