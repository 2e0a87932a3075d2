"""What torch checks before it draws: bounds and dtypes of the random functions, with its messages."""

from __future__ import annotations

import math
import warnings

import numpy as np

from . import dtypes
from .dtypes import c_name

# bits of the fraction, the hidden one included
_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def require_floating(np_dtype, kernel: str) -> None:
    """torch's error where `kernel` has no version for this dtype."""
    d = dtypes.from_numpy_dtype(np_dtype)
    if not d.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.torch_type}'")


def require_continuous(np_dtype, distribution: str, named: str | None = None) -> None:
    """torch's error for a continuous distribution asked of integers."""
    d = dtypes.from_numpy_dtype(np_dtype)
    if not d.is_floating_point:
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must be a floating "
            f"point but you specified {named or d.torch_type}"
        )


def check_uniform_bounds(np_dtype, low: float, high: float) -> None:
    """low <= high, and both and their distance within the dtype."""
    require_floating(np_dtype, "check_uniform_bounds")
    largest = dtypes.finfo(dtypes.from_numpy_dtype(np_dtype)).max
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {c_name(np_dtype)}")
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > largest:
        kind = dtypes.from_numpy_dtype(np_dtype).torch_type
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{kind}>::max(), but found to={high:g} and "
            f"from={low:g} which result in to-from to exceed the limit"
        )


def native_range(np_dtype) -> tuple[int, bool]:
    """What random_() without bounds draws for this dtype: (how many values, whether from 64 bits)."""
    d = dtypes.from_numpy_dtype(np_dtype)
    if d.is_floating_point:
        return 2 ** _DIGITS[d.name] + 1, d is dtypes.float64
    if d is dtypes.bool:
        return 2, False
    return np.iinfo(np_dtype).max + 1, d is dtypes.int64


def checked_range(np_dtype, low: int, high: int | None) -> tuple[int, int]:
    """[low, high), or from low to the dtype's largest integer, as (first value, number of values)."""
    d = dtypes.from_numpy_dtype(np_dtype)
    if high is not None:
        if low >= high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        if d.is_floating_point:
            low, high = _round_up(d, low), _round_down(d, high)
            if low >= high:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
                    f"from={low} >= to={high}"
                )
        _check_within(d, low, high - 1)
        return low, high - low
    if low == -(2**63):
        return 0, 2**64  # modulo 2**64 every first value is the same; torch adds none
    if d.is_floating_point:
        last = 2 ** _DIGITS[d.name]
        low = _round_up(d, low)
        if low >= last:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to "
                f"dtype, but got from={low} > to_inc={last}"
            )
    else:
        last = 1 if d is dtypes.bool else int(np.iinfo(np_dtype).max)
    _check_within(d, low, last)
    return low, last - low + 1


def require_full_range(np_dtype) -> None:
    """torch's error for dtypes that do not hold 2**64 values, nor pretend to."""
    d = dtypes.from_numpy_dtype(np_dtype)
    if d in (dtypes.float16, dtypes.bool):
        raise NotImplementedError(f"\"random_full_64_bits_range_kernel_cpu\" not implemented for '{d.torch_type}'")
    if d not in (dtypes.int64, dtypes.float64, dtypes.float32, dtypes.bfloat16):
        raise RuntimeError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")


def _check_within(d, first: int, last: int) -> None:
    if d.is_floating_point:
        largest = dtypes.finfo(d).max
        smallest = -largest
    elif d is dtypes.bool:
        smallest, largest = 0, 1
    else:
        smallest, largest = np.iinfo(d.numpy).min, np.iinfo(d.numpy).max
    for name, bound in (("from", first), ("to - 1", last)):
        if not smallest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {c_name(d.numpy)}")
    if d.is_floating_point:
        digits = _DIGITS[d.name]
        for name, bound in (("from", first), ("to - 1", last)):
            if abs(bound) > 2**digits:
                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
                    f"{c_name(d.numpy)} can support discrete uniform distribution only within this range. "
                    "This warning will become an error in version 1.7 release, please fix the code in "
                    "advance",
                    stacklevel=4,
                )


def _round_up(d, low: int) -> int:
    # The first integer that the dtype holds, so that no draw rounds to something below `low`.
    following = _rounded(d, low + 1)
    if following is None:
        return -(2**63)  # what C makes of an infinity, and out of bounds
    if following >= low:
        return low
    return following + (1 << (abs(low + 1).bit_length() - _DIGITS[d.name]))


def _round_down(d, high: int) -> int:
    last = _rounded(d, high - 1)
    if last is None or last < high:
        return high
    return last - (1 << (abs(high - 1).bit_length() - _DIGITS[d.name]))


def _rounded(d, value: int) -> int | None:
    """The dtype's nearest number, ties to even; None beyond its largest."""
    shift = max(abs(value).bit_length() - _DIGITS[d.name], 0)
    quotient, rest = divmod(abs(value), 1 << shift)
    if 2 * rest > 1 << shift or (2 * rest == 1 << shift and quotient & 1):
        quotient += 1
    nearest = quotient << shift
    if nearest > dtypes.finfo(d).max:
        return None
    return int(math.copysign(1, value)) * nearest


def check_permutation(np_dtype, n: int) -> None:
    """A permutation's length must not be negative, nor more than the dtype can count."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    d = dtypes.from_numpy_dtype(np_dtype)
    if d is dtypes.bool:
        raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
    if d is dtypes.float16 and n > 2049:
        raise RuntimeError("n cannot be greater than 2049 for Half type.")
    if d is dtypes.float32 and n > 2**24 + 1:
        raise RuntimeError("n cannot be greater than 2^24+1 for Float type.")
    if not d.is_floating_point and n - 1 > np.iinfo(np_dtype).max:
        raise RuntimeError(f"value cannot be converted to type {d.name}_t without overflow")
