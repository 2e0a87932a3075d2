"""The natural logarithm and what is made of it."""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace


@kernel
def log(x):
    """log(x): -inf at 0, NaN below."""
    return np.log(x)


@kernel
def log1p(x):
    """log(1 + x), exact near 0."""
    return np.log1p(x)


@kernel
def log1p_grad(g, x):
    """g / (1 + x)"""
    return g / (x + 1)


@kernel
def logit(x):
    """log(x / (1 - x))"""
    return np.log(x / (1 - x))


@kernel
def logit_grad(g, x):
    """g / (x (1 - x)), NaN outside [0, 1]. g and x are of one shape and dtype."""
    return namespace(x).where((x < 0) | (x > 1), x.dtype.type(np.nan), g / (x * (1 - x)))


@kernel
def logaddexp(a, b):
    """log(exp(a) + exp(b)), without overflow; floating, the two broadcast."""
    return np.logaddexp(a, b)


@kernel
def logaddexp_grad(g, a, b):
    """g / (1 + exp(b - a)), the gradient to a; the three broadcast."""
    return g / (1 + np.exp(b - a))
