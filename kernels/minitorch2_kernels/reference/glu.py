"""The gated linear unit: half of an array times the logistic function of the other."""

from __future__ import annotations

from ..dispatch import empty_like, kernel
from .arithmetic import times
from .exponentials import sigmoid


def halves(x, dim):
    """Views of x's two halves along dim."""
    before, n = (slice(None),) * dim, x.shape[dim] // 2
    return x[(*before, slice(n))], x[(*before, slice(n, None))]


@kernel
def glu(x, dim):
    """a sigmoid(b), a and b the halves of x along dim >= 0. x: floating, an even number along dim."""
    a, b = halves(x, dim)
    return times(a, sigmoid(b))


@kernel
def glu_grad(g, x, dim):
    """The gradient to x: g s to its first half and g a s (1 - s) to its second, s = sigmoid(b). g: shape of a and b."""
    (a, b), dx = halves(x, dim), empty_like(x)
    first, second = halves(dx, dim)
    s = sigmoid(b)
    first[...] = g * s
    second[...] = g * a * (s * (1 - s))
    return dx
