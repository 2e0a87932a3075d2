"""What dropout does to the numbers, once it is drawn which of them stay."""

from __future__ import annotations

from ..dispatch import kernel
from .arithmetic import times


@kernel
def masked_scale(x, mask, keep):
    """x * (1 / keep) * mask. x: any shape, floating; mask: bool, broadcasts to x; keep: a number."""
    if mask.size < x.size:  # whole channels
        return times(x, mask * (x.dtype.type(1) / x.dtype.type(keep)))
    y = x * (x.dtype.type(1) / x.dtype.type(keep))
    y *= mask
    return y
