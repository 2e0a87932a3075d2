"""Adding a bias to a convolution's result."""

from __future__ import annotations

from ..dispatch import kernel
from .cast import BFLOAT16, add_bfloat16


@kernel
def add_bias(y, bias):
    """y (N, C, ...) += bias (C,), in y's memory, which has no gaps; both of one dtype. Returns y."""
    bias = bias.reshape(-1, *(1,) * (y.ndim - 2))
    if y.dtype == BFLOAT16:
        y[...] = add_bfloat16(y, bias)
    else:
        y += bias
    return y
