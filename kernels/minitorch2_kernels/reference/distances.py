"""How far points are apart."""

from __future__ import annotations

import numpy as np

from ..dispatch import asarray, kernel
from .sums import sums_of_products


@kernel
def euclidean(x1, x2):
    """(..., P, R): the distances of the rows of x1 (..., P, M) from those of x2 (..., R, M), of one floating dtype; the
    dims before these broadcast."""
    difference = x1[..., :, None, :] - x2[..., None, :, :]
    return asarray(np.sqrt(sums_of_products(difference, difference, -1)))
