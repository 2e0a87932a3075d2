"""make_tensor: random tensors for tests, the same as torch's for one seed."""

from __future__ import annotations

import math
import warnings

from ..core import dtypes
from ..creation import empty
from ..random import randint
from ..tensor import Tensor


def make_tensor(
    *shape,
    dtype,
    device,
    low=None,
    high=None,
    requires_grad=False,
    noncontiguous=False,
    exclude_zero=False,
    memory_format=None,
) -> Tensor:
    """Numbers drawn uniformly from [low, high): from [-9, 9) unless told, integers from -9 to 9 (unsigned ones from 0),
    bools. Bounds beyond the dtype's are brought to them.

    noncontiguous: every second element of the last dim of a larger tensor. exclude_zero: 1, or the smallest normal
    number, in the place of zeros. ValueError for bounds that leave nothing, TypeError for a dtype that is not drawn.
    """
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        (shape,) = shape
    floating = dtype in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"{noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not floating:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    noncontiguous = noncontiguous and math.prod(shape) > 1
    if noncontiguous:
        shape = (*shape[:-1], 2 * shape[-1])
    low, high = _bounds(low, high, dtype, floating)
    if not floating:
        result = randint(low, high, tuple(shape), device=device, dtype=dtype)
    elif high - low >= dtypes.finfo(dtype).max:  # uniform_ takes no wider range
        result = empty(tuple(shape), device=device, dtype=dtype).uniform_(low / 2, high / 2).mul_(2)
    else:
        result = empty(tuple(shape), device=device, dtype=dtype).uniform_(low, high)
    if noncontiguous:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = dtypes.finfo(dtype).tiny if floating else 1
    return result._requiring(True) if requires_grad else result


def _bounds(low, high, dtype, floating):
    """(low, high) of the numbers to draw, within what the dtype holds."""
    if dtype is dtypes.bool:
        least, most, usual = 0, 2, (0, 2)
    elif floating:
        least, most, usual = dtypes.finfo(dtype).min, dtypes.finfo(dtype).max, (-9, 9)
    elif getattr(dtype, "category", None) == "int":  # of int64, the largest is not drawn
        least, most, usual = dtypes.iinfo(dtype).min, dtypes.iinfo(dtype).max + (dtype is not dtypes.int64), (-9, 10)
    else:
        raise TypeError(f"The requested dtype '{dtype}' is not supported by torch.testing.make_tensor().")
    low, high = usual[0] if low is None else low, usual[1] if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low == high and floating:
        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated since 2.1 "
            "and will be removed in 2.3. Use `torch.full(...)` instead.",
            FutureWarning,
            stacklevel=3,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    elif high < least or low >= most:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
            f"[{least}, {most})"
        )
    low, high = min(max(low, least), most), min(max(high, least), most)
    return (low, high) if floating else (math.ceil(low), math.ceil(high))
