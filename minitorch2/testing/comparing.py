"""assert_close: what of two values is not close, in torch's words."""

from __future__ import annotations

import cmath
import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..core import dtypes
from ..creation import as_tensor
from ..functions import isclose
from ..tensor import Tensor

# torch's defaults by dtype: (rtol, atol)
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
}
OLD_TOLERANCES = {
    dtypes.float16: (1e-3, 1e-3),
    dtypes.float32: (1e-4, 1e-5),
    dtypes.float64: (1e-5, 1e-8),
}
_NUMBERS = {int: dtypes.int64, float: dtypes.float64, complex: dtypes.float64}  # the dtype whose tolerances they have


class _Options(NamedTuple):
    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool


class _Failure(Exception):
    """What is wrong, and at which item of nested sequences and mappings."""

    def __init__(self, kind: type[Exception], text: str, path: tuple):
        super().__init__(text)
        self.kind = kind
        self.text = text + _at(path) if path else text


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
) -> None:
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, arrays, numbers, bools, None, and sequences or mappings of them; shapes and dtypes must agree.
    TypeError for values that cannot be compared: a tensor with a number, strings. msg: the text of the AssertionError,
    or a function that makes it of the one there is.
    """
    __tracebackhide__ = True
    options = _Options(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    try:
        comparisons = list(_comparisons(actual, expected, (), options))
    except _Failure as failure:
        raise failure.kind(failure.text) from None
    for compare in comparisons:
        try:
            compare()
        except _Failure as failure:
            text = msg(failure.text) if callable(msg) else failure.text if msg is None else msg
            raise failure.kind(text) from None


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg="") -> None:
    """assert_close with wider tolerances and of any dtypes: torch's older form of it."""
    __tracebackhide__ = True
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please "
        "use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    if not isinstance(actual, Tensor):
        actual = as_tensor(actual)
    if not isinstance(expected, Tensor):
        expected = as_tensor(expected, actual.dtype)
    if rtol is None and atol is None:
        rtol, atol = _loosest(OLD_TOLERANCES, actual.dtype, expected.dtype)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _comparisons(actual: Any, expected: Any, path: tuple, options: _Options):
    """A function for each pair of values, which raises _Failure where they differ. What cannot be compared raises it
    here, before any value is."""
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            text = f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
            raise _Failure(AssertionError, text, path)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            yield from _comparisons(a, e, (*path, i), options)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        keys: Any = set(actual)
        if keys != set(expected):
            text = (
                f"The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {_in_order(set(expected) - keys)}\n"
                f"Additional keys in the actual mapping: {_in_order(keys - set(expected))}"
            )
            raise _Failure(AssertionError, text, path)
        for key in _in_order(keys):
            yield from _comparisons(actual[key], expected[key], (*path, key), options)
    else:
        yield _comparison(actual, expected, path, options)


def _is_sequence(x) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _in_order(keys: set) -> list:
    with contextlib.suppress(TypeError):
        return sorted(keys)
    return list(keys)


def _at(path: tuple) -> str:
    return f"\n\nThe failure occurred for item {''.join(str([step]) for step in path)}"


def _comparison(actual, expected, path, options) -> Callable[[], None]:
    def fail(text: str) -> NoReturn:
        raise _Failure(AssertionError, text, path)

    if actual is None or expected is None:
        return lambda: None if actual is expected else fail(f"None mismatch: {actual} is not {expected}")
    a, e = (x.item() if isinstance(x, np.generic) else x for x in (actual, expected))
    if isinstance(a, bool) and isinstance(e, bool):
        return lambda: None if a is e else fail(f"Booleans mismatch: {a} is not {e}")
    if type(a) in _NUMBERS and type(e) in _NUMBERS:
        tolerances = _tolerances(options, path, _NUMBERS[type(a)], _NUMBERS[type(e)])
        return lambda: _compare_numbers(a, e, *tolerances, options, fail)
    a = e = None
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if related and (options.allow_subclasses or type(actual) is type(expected)):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            a, e = as_tensor(actual), as_tensor(expected)
    if not (isinstance(a, Tensor) and isinstance(e, Tensor)):
        text = f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
        raise _Failure(TypeError, text, path)
    tolerances = _tolerances(options, path, a.dtype, e.dtype)
    return lambda: _compare_tensors(a.detach(), e.detach(), *tolerances, options, fail)


def _tolerances(options, path, *of_dtypes) -> tuple[float, float]:
    """(rtol, atol)"""
    if options.rtol is not None and options.atol is not None:
        return options.rtol, options.atol
    if options.rtol is not None or options.atol is not None:
        missing = "rtol" if options.rtol is None else "atol"
        text = f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
        raise _Failure(ValueError, text, path)
    return _loosest(TOLERANCES, *of_dtypes)


def _loosest(table, *of_dtypes) -> tuple[float, float]:
    pairs = [table.get(dtype, (0.0, 0.0)) for dtype in of_dtypes]
    return max(rtol for rtol, _ in pairs), max(atol for _, atol in pairs)


def _compare_numbers(actual, expected, rtol, atol, options, fail) -> None:
    if options.check_dtype and type(actual) is not type(expected):
        fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.")
    if actual == expected or (options.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return
    difference = abs(actual - expected)
    if not cmath.isfinite(difference) or difference > atol + rtol * abs(expected):
        fail(_about_numbers(actual, expected, rtol, atol))


def _compare_tensors(a, e, rtol, atol, options, fail) -> None:
    attributes = [("shape", a.shape, e.shape, True), ("layout", a.layout, e.layout, options.check_layout)]
    attributes.append(("stride()", a.stride(), e.stride(), options.check_stride))
    attributes.append(("device", a.device, e.device, options.check_device))
    attributes.append(("dtype", a.dtype, e.dtype, options.check_dtype))
    for name, of_actual, of_expected, checked in attributes:
        if checked and of_actual != of_expected:
            fail(f"The values for attribute '{name}' do not match: {of_actual} != {of_expected}.")
    if "meta" in (a.device.type, e.device.type):  # which has no values
        return
    if a.device != e.device:
        a, e = a.cpu(), e.cpu()
    dtype = dtypes.promote_types(a.dtype, e.dtype)
    a, e = a.to(dtype), e.to(dtype)
    close = isclose(a, e, rtol=rtol, atol=atol, equal_nan=options.equal_nan)
    if bool(close.all()):
        return
    fail(_about_tensors(a, e, close, rtol, atol) if a.ndim else _about_numbers(a.item(), e.item(), rtol, atol))


def _about_numbers(actual, expected, rtol, atol) -> str:
    absolute = abs(actual - expected)
    relative = absolute / abs(expected) if expected else float("inf")
    exact = rtol == 0 and atol == 0
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{_allowed(atol, exact)}\n"
        f"Relative difference: {relative}{_allowed(rtol, exact)}"
    )


def _about_tensors(a, e, close, rtol, atol) -> str:
    exact = rtol == 0 and atol == 0
    wrong, n = int((~close).sum()), close.numel()
    if not a.dtype.is_floating_point:  # differences of uint8, and of bools
        a, e = a.long(), e.long()
    absolute = (a - e).abs()
    absolute[close] = 0
    relative = absolute / e.abs()
    relative[close] = 0
    lines = [f"Tensor-likes are not {'equal' if exact else 'close'}!", ""]
    lines.append(f"Mismatched elements: {wrong} / {n} ({wrong / n:.1%})")
    for name, difference, allowed in (("absolute", absolute, atol), ("relative", relative, rtol)):
        greatest, at = difference.flatten().max(0)
        index = tuple(int(i) for i in np.unravel_index(int(at), tuple(close.shape)))
        lines.append(f"Greatest {name} difference: {greatest.item()} at index {index}{_allowed(allowed, exact)}")
    return "\n".join(lines)


def _allowed(tolerance, exact) -> str:
    return "" if exact else f" (up to {tolerance} allowed)"
