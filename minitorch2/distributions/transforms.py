"""torch.distributions.transforms: functions that carry a distribution over, with their inverses and Jacobians."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core.dtypes import finfo
from ..core.size import Size
from ..creation import eye, full_like
from ..functions import broadcast_shapes, log
from ..linalg import cholesky
from ..nn.functional import logsigmoid, pad, softplus
from ..tensor import Tensor
from . import constraints
from .transform import ComposeTransform, IndependentTransform, ReshapeTransform, Transform, identity_transform
from .transform import _InverseTransform as _InverseTransform  # Pyro asks whether a transform is one
from .transforms_of_parts import CatTransform, StackTransform
from .utils import _sum_rightmost, tril_matrix_to_vec, vec_to_tril_matrix

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class _Rising(Transform):
    """An increasing function of each element."""

    domain = constraints.real
    bijective = True
    sign = 1
    _compared_by: ClassVar = ()


class ExpTransform(_Rising):
    """y = exp(x)."""

    codomain = constraints.positive

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class SigmoidTransform(_Rising):
    """y = 1 / (1 + exp(-x)), kept off 0 and 1."""

    codomain = constraints.unit_interval

    def _call(self, x):
        return _clipped_sigmoid(x)

    def _inverse(self, y):
        y = _clipped(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x) - softplus(x)


def _clipped(probs):
    kind = finfo(probs.dtype)
    return probs.clamp(min=kind.tiny, max=1.0 - kind.eps)


def _clipped_sigmoid(x):
    return _clipped(x.sigmoid())


class TanhTransform(_Rising):
    """y = tanh(x). Its inverse is inaccurate near -1 and 1: cache_size=1 avoids it."""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return y.atanh()

    def log_abs_det_jacobian(self, x, y):  # log(1 - tanh(x)**2) as a function of x alone
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class SoftplusTransform(_Rising):
    """y = log(1 + exp(x)), and x itself above 20."""

    codomain = constraints.positive

    def _call(self, x):
        return softplus(x)

    def _inverse(self, y):
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x)


class PowerTransform(_Rising):
    """y = x ** exponent, of positive x."""

    domain = constraints.positive
    codomain = constraints.positive
    _compared_by: ClassVar = ("exponent",)

    def __init__(self, exponent, cache_size: int = 0):
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        return self.exponent.sign() if isinstance(self.exponent, Tensor) else math.copysign(1, self.exponent)

    def _call(self, x):
        return x**self.exponent

    def _inverse(self, y):
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return broadcast_shapes(shape, getattr(self.exponent, "shape", ()))

    inverse_shape = forward_shape


class AbsTransform(Transform):
    """y = |x|. It has no inverse; `inv` gives the x that is not negative."""

    domain = constraints.real
    codomain = constraints.positive
    _compared_by: ClassVar = ()

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


class AffineTransform(Transform):
    """y = loc + scale * x; numbers or tensors. event_dim: how many of the last dims make one event."""

    bijective = True
    _compared_by: ClassVar = ("loc", "scale")

    def __init__(self, loc, scale, event_dim: int = 0, cache_size: int = 0):
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self) -> int:
        return self._event_dim

    @property
    def domain(self) -> Any:
        return constraints.independent(constraints.real, self._event_dim) if self._event_dim else constraints.real

    @property
    def codomain(self) -> Any:
        return self.domain

    @property
    def sign(self) -> Any:
        return self.scale.sign() if isinstance(self.scale, Tensor) else (self.scale > 0) - (self.scale < 0)

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        if isinstance(self.scale, Tensor):
            slopes = self.scale.abs().log().expand(x.shape)
        else:
            slopes = full_like(x, math.log(abs(self.scale)))
        return _sum_rightmost(slopes, self._event_dim)

    def forward_shape(self, shape):
        return broadcast_shapes(shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ()))

    inverse_shape = forward_shape


class SoftmaxTransform(Transform):
    """Positive numbers that add up to 1 along the last dim. The inverse is the log, which is not unique."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    _compared_by: ClassVar = ()

    def _call(self, x):
        return x.softmax(-1)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        return _with_last(shape, 0)

    def inverse_shape(self, shape):
        return _with_last(shape, 0)


def _with_last(shape, more: int) -> Any:
    """The shape with so many more in its last dim."""
    if not shape:
        raise ValueError("Too few dimensions on input")
    return Size((*shape[:-1], shape[-1] + more))


class StickBreakingTransform(Transform):
    """K numbers to K + 1 that are positive and add up to 1: each takes its share, a sigmoid, of what is left of 1."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True
    _compared_by: ClassVar = ()

    def _call(self, x):
        share = _clipped_sigmoid(x - _log_offsets(x, x.shape[-1]))
        left = (1 - share).cumprod(-1)
        return pad(share, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y):
        taken = y[..., :-1]
        left = (1 - taken.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return taken.log() - left.log() + _log_offsets(taken, taken.shape[-1])

    def log_abs_det_jacobian(self, x, y):
        # The matrix is triangular; share i moves y_i by (1 - share_i) * y_i, as d sigmoid(x) = (1 - sigmoid) sigmoid.
        x = x - _log_offsets(x, x.shape[-1])
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        return _with_last(shape, 1)

    def inverse_shape(self, shape):
        return _with_last(shape, -1)


def _log_offsets(like, k: int):
    """log(k), log(k - 1) ... log(1): zeros are then carried to equal parts."""
    return log(k + 1 - like.new_ones(k).cumsum(-1))


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones with a positive diagonal: the exp of the diagonal, the rest below it."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky
    _compared_by: ClassVar = ()

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(LowerCholeskyTransform):
    """Square matrices to positive definite ones: L @ L.mT, where L is what LowerCholeskyTransform makes."""

    codomain = constraints.positive_definite

    def _call(self, x):
        factor = super()._call(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return super()._inverse(cholesky(y))


class CorrCholeskyTransform(Transform):
    """D (D - 1) / 2 numbers to a D x D correlation matrix's Cholesky factor: lower triangular, its rows of length 1.

    In row order; each takes its share, a tanh, of what is left of its row's length, and the diagonal takes the rest.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        eps = finfo(x.dtype).eps
        share = vec_to_tril_matrix(x.tanh().clamp(min=-1 + eps, max=1 - eps), diag=-1)
        left = (1 - share**2).sqrt().cumprod(-1)
        share = share + eye(share.shape[-1], dtype=share.dtype, device=share.device)
        return share * pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y):
        left = pad((1 - (y * y).cumsum(-1))[..., :-1], [1, 0], value=1)
        share = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(left, diag=-1).sqrt()
        return (share.log1p() - (-share).log1p()) / 2

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        """Of the elements below the diagonal, which are as many as those of x. intermediates: has no effect."""
        left = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        return 0.5 * left.log().sum(-1) + TanhTransform().log_abs_det_jacobian(x, None).sum(-1)

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        n = shape[-1]
        d = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if d * (d - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return Size((*shape[:-1], d, d))

    def inverse_shape(self, shape):
        if len(shape) < 2:
            raise ValueError("Too few dimensions on input")
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))


class CumulativeDistributionTransform(Transform):
    """y = distribution.cdf(x), which is uniform for x of that distribution; the inverse is its icdf."""

    bijective = True
    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution, cache_size: int = 0):
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)
