"""Transform, and transforms made of others: the inverse, one after the other, over more dims, reshaped."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core.size import Size
from ..tensor import Tensor
from . import constraints
from .utils import Undefined, _sum_rightmost


class Transform:
    """A function y = t(x) from `domain` to `codomain`, x = t.inv(y), and log |det dy/dx|.

    A subclass gives `_call`, `_inverse`, `log_abs_det_jacobian`, the two constraints, and `sign` where it is monotonic.
    cache_size=1 keeps the latest pair of x and y, so that the inverse of a y just made is its very x; 0 keeps none.
    """

    bijective = False
    domain: Any
    codomain: Any
    sign: Any = Undefined()  # 1 where it rises, -1 where it falls
    _compared_by: tuple[str, ...] | None = None  # attributes that two of a class are equal by; None: by identity

    def __init__(self, cache_size: int = 0):
        self._begin_cache(cache_size)
        super().__init__()  # of what else a subclass derives from: nn.Module, where it learns its parameters

    def _begin_cache(self, cache_size: int) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._cached_x_y: tuple = (None, None)

    @property
    def event_dim(self) -> int:
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")
        return self.domain.event_dim

    @property
    def inv(self) -> Any:
        """The inverse, a Transform."""
        return _InverseTransform(self)

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform with this cache_size."""
        if self._cache_size == cache_size:
            return self
        twin = type(self).__new__(type(self))
        twin.__dict__.update(vars(self))
        twin._begin_cache(cache_size)
        return twin

    def __call__(self, x) -> Any:
        return self._through(x, 0)

    def _inv_call(self, y) -> Any:
        return self._through(y, 1)

    def _through(self, value, side: int):
        """The other side of the cached pair if `value` is the one, else computed."""
        compute = (self._call, self._inverse)[side]
        if not self._cache_size:
            return compute(value)
        if self._cached_x_y[side] is not value:
            result = compute(value)
            self._cached_x_y = (result, value) if side else (value, result)
        return self._cached_x_y[1 - side]

    def _call(self, x) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement _call")

    def _inverse(self, y) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement _inverse")

    def log_abs_det_jacobian(self, x, y) -> Any:
        """log |det dy/dx|, for each event."""
        raise NotImplementedError(f"{type(self).__name__} does not implement log_abs_det_jacobian")

    def forward_shape(self, shape) -> Any:
        """The shape of y for an x of this shape."""
        return shape

    def inverse_shape(self, shape) -> Any:
        """The shape of x for a y of this shape."""
        return shape

    def __eq__(self, other) -> bool:
        return self is other or (
            type(self) is type(other)
            and self._compared_by is not None
            and all(_equal(getattr(self, name), getattr(other, name)) for name in self._compared_by)
        )

    __hash__: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _equal(a, b) -> bool:
    same = a == b
    return bool(same.all()) if isinstance(same, Tensor) else bool(same)


class _InverseTransform(Transform):
    """The inverse of a transform, which does the work and keeps the cache."""

    _compared_by: ClassVar = ("_inv",)

    def __init__(self, transform: Transform):
        super().__init__(transform._cache_size)
        self._inv = transform

    @property
    def domain(self) -> Any:
        return self._inv.codomain

    @property
    def codomain(self) -> Any:
        return self._inv.domain

    @property
    def bijective(self) -> bool:
        return self._inv.bijective

    @property
    def sign(self) -> Any:
        return self._inv.sign

    @property
    def inv(self) -> Transform:
        return self._inv

    def with_cache(self, cache_size=1):
        return self._inv.with_cache(cache_size).inv

    def __call__(self, x):
        return self._inv._inv_call(x)

    def _inv_call(self, y):
        return self._inv(y)

    def log_abs_det_jacobian(self, x, y):
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape):
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape):
        return self._inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self._inv!r})"


def _wider(constraint, event_dim: int):
    extra = event_dim - constraint.event_dim
    return constraints.independent(constraint, extra) if extra else constraint


class ComposeTransform(Transform):
    """Several transforms, the first one first."""

    _compared_by: ClassVar = ("parts",)

    def __init__(self, parts, cache_size: int = 0):
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)

    def with_cache(self, cache_size=1):
        return self if self._cache_size == cache_size else ComposeTransform(self.parts, cache_size)

    @property
    def domain(self) -> Any:
        if not self.parts:
            return constraints.real
        event_dim = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            event_dim = max(event_dim + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return _wider(self.parts[0].domain, event_dim)

    @property
    def codomain(self) -> Any:
        if not self.parts:
            return constraints.real
        event_dim = self.parts[0].domain.event_dim
        for part in self.parts:
            event_dim = max(event_dim + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return _wider(self.parts[-1].codomain, event_dim)

    @property
    def bijective(self) -> bool:
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        return math.prod((part.sign for part in self.parts), start=1)

    @property
    def inv(self) -> Any:
        return ComposeTransform([part.inv for part in reversed(self.parts)])

    def __call__(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y):
        for part in reversed(self.parts):
            y = part._inv_call(y)
        return y

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return x * 0
        total, event_dim = 0, self.domain.event_dim
        for i, part in enumerate(self.parts):
            following = part(x) if i + 1 < len(self.parts) else y
            total = total + _sum_rightmost(part.log_abs_det_jacobian(x, following), event_dim - part.domain.event_dim)
            event_dim += part.codomain.event_dim - part.domain.event_dim
            x = following
        return total

    def forward_shape(self, shape):
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape):
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """`base_transform` with more dims in its events; the log of the Jacobian is summed over them."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0):
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def domain(self) -> Any:
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @property
    def codomain(self) -> Any:
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self) -> bool:
        return self.base_transform.bijective

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    def _call(self, x):
        return self.base_transform(_enough_dims(x, self.domain.event_dim))

    def _inverse(self, y):
        return self.base_transform.inv(_enough_dims(y, self.codomain.event_dim))

    def log_abs_det_jacobian(self, x, y):
        return _sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape):
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape):
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


def _enough_dims(value, event_dim: int):
    if value.ndim < event_dim:
        raise ValueError("Too few dimensions on input")
    return value


class ReshapeTransform(Transform):
    """Events of shape `in_shape` in `out_shape`. ValueError where the numbers of elements differ."""

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size: int = 0):
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError("in_shape, out_shape have different numbers of elements")
        super().__init__(cache_size)

    @property
    def domain(self) -> Any:
        return constraints.independent(constraints.real, len(self.in_shape))

    @property
    def codomain(self) -> Any:
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x):
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y):
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x, y):
        return x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])

    def forward_shape(self, shape):
        return _with_event(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return _with_event(shape, self.out_shape, self.in_shape)


def _with_event(shape, old: Size, new: Size) -> Size:
    cut = len(shape) - len(old)
    if cut < 0:
        raise ValueError("Too few dimensions on input")
    if tuple(shape[cut:]) != old:
        raise ValueError(f"Shape mismatch: expected {shape[cut:]} but got {old}")
    return Size(shape[:cut]) + new
