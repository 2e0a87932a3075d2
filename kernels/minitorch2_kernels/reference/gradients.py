"""What many gradients go through before an update: their norm, and a factor for all."""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .arithmetic import times
from .joining import joined
from .sums import sums


@kernel
def lengths(arrays):
    """The 2-norm of each of n arrays of one floating dtype as a vector: (n,)."""
    xp = namespace(arrays[0])
    squares = (sums(times(a, a), tuple(range(a.ndim))) for a in arrays)
    return joined([xp.asarray(xp.sqrt(square)).reshape(1) for square in squares], 0)


@kernel
def scale(arrays, factor):
    """Every array times factor, an array without dims of their dtype. In place."""
    for a in arrays:
        a *= factor
