"""Areas under curves, covariances, combinations and powers of a vector's elements."""

from __future__ import annotations

import itertools
import math

import numpy as np

from ..core.autocast import listed
from ..core.device import like
from ..core.function import Function, called
from ._common import to_dtype, to_float, wrap_dim
from ._inplace import inplace
from .joining import stack
from .linalg import matmul, vector_norm
from .probability import ProbabilityMethods
from .reduce import mean
from .reduce import sum as sum_
from .scan import cumsum
from .views import narrow, reshape


def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under y along `dim`, by trapezoids: at points x, or dx apart."""
    return sum_(_areas("trapezoid", y, x, dx, dim), dim)


def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under y up to each point after the first."""
    return cumsum(_areas("cumulative_trapezoid", y, x, dx, dim), dim)


def _areas(op, y, x, dx, dim):
    dim = wrap_dim(dim, y._data.ndim)
    steps = dx
    if x is not None:
        if x._data.ndim == 1:
            if x._data.size != y._data.shape[dim]:
                raise RuntimeError(f"{op}: There must be one `x` value for each sample point")
            x = reshape(x, [-1] + [1] * (y._data.ndim - 1 - dim))
        steps = _differences(reshape(x, (1,) * (y._data.ndim - x._data.ndim) + x._data.shape), dim)
    n = max(y._data.shape[dim] - 1, 0)
    return steps * (narrow(y, dim, 0, n) + narrow(y, dim, y._data.shape[dim] - n, n)) / 2.0


def _differences(x, dim):
    n = max(x._data.shape[dim] - 1, 0)
    return narrow(x, dim, x._data.shape[dim] - n, n) - narrow(x, dim, 0, n)


def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariances of the variables in the rows of input, over its columns. fweights: how often each column
    occurred; aweights: how much it counts."""
    if input._data.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input._data.ndim} dimensions"
        )
    if input._data.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = to_float(input.reshape(1, -1) if input._data.ndim < 2 else input)
    n = rows._data.shape[1]
    if fweights is None and aweights is None:
        centred = rows - mean(rows, 1, keepdim=True)
        return (matmul(centred, centred.t()) / max(n - correction, 0)).squeeze()
    given = {"fweights": fweights, "aweights": aweights}
    weights = [_checked_weights(name, w, n) for name, w in given.items() if w is not None]
    w = math.prod(weights[1:], start=weights[0])
    total = sum_(w)
    if total == 0:
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    centred = rows - (sum_(rows * w, 1) / total).unsqueeze(1)
    lost = correction if aweights is None or not correction else correction * sum_(w * aweights) / total
    degrees = total - lost
    return (matmul(centred, (centred * w).t()) / (degrees if degrees > 0 else 0.0)).squeeze()


def _checked_weights(name, weights, n):
    if weights._data.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights._data.ndim} "
            "dimensions"
        )
    kinds, word = ("iu", "integral dtype") if name == "fweights" else ("fV", "floating point dtype")
    if weights._data.dtype.kind not in kinds:
        raise RuntimeError(
            f"cov(): expected {name} to have {word} but got {name} with {weights.dtype.torch_type} dtype"
        )
    if weights._data.size != n:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights._data.size} != {n}"
        )
    if n and (weights < 0).any():
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return weights


def corrcoef(input):
    """cov, scaled by the standard deviations to [-1, 1]."""
    c = cov(input)
    if not c._data.ndim:
        return c / c
    deviation = c.diagonal().sqrt()
    return (c / deviation.unsqueeze(1) / deviation).clamp(-1, 1)


def combinations(input, r=2, with_replacement=False):
    """All combinations of r elements of a vector, one a row."""
    if input._data.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._data.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._data.size), r)), np.int64).reshape(-1, r)
    return input[Function.as_tensor(like(rows, input._data))]


def vander(x, N=None, *, increasing=False):
    """The powers of a vector's elements as columns: the highest first unless `increasing`."""
    if x._data.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._data.size if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    if x._data.dtype.kind in "biu":
        x = to_dtype(x, np.dtype(np.int64))
    if not count:
        return x.new_empty((x._data.size, 0))
    powers = range(count) if increasing else range(count - 1, -1, -1)
    return stack([x**p for p in powers], dim=1)


def renorm(input, p, dim, maxnorm):
    """The slices along `dim`, those with a p-norm above maxnorm scaled down to it."""
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input._data.ndim} dimensions")
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: expected a positive p and a non-negative maxnorm but got {p} and {maxnorm}")
    norms = vector_norm(input, p, [d for d in range(input._data.ndim) if d != dim], keepdim=True)
    scale = (maxnorm / (norms + 1e-7)).where(norms > maxnorm, 1.0)
    return called("RenormBackward0", (input * to_dtype(scale, input._data.dtype)).contiguous())


listed(globals())


class StatisticsMethods(ProbabilityMethods):
    cov, corrcoef, renorm = cov, corrcoef, renorm
    renorm_ = inplace(renorm, of_several=True)
