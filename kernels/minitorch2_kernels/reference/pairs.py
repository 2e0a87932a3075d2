"""Functions of two floats that are no arithmetic. The two broadcast."""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, where


@kernel
def maximum(a, b):
    """The larger; NaN where one is."""
    return np.maximum(a, b)


@kernel
def minimum(a, b):
    """The smaller; NaN where one is."""
    return np.minimum(a, b)


@kernel
def maximum_grad(g, a, b):
    """The gradient to a of the larger: g, half of it where they are equal, 0 where b is larger. It is that to b of the
    smaller, too."""
    return where(a == b, g / 2, where(a < b, g.dtype.type(0), g))


@kernel
def copysign(a, b):
    """|a| with b's sign."""
    return np.copysign(a, b)


@kernel
def hypot(a, b):
    """sqrt(a^2 + b^2), without overflow."""
    return np.hypot(a, b)


@kernel
def hypot_grad(g, a, y):
    """g a / y, the gradient to a of the hypot y."""
    return g * (a / y)
