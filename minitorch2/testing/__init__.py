"""torch.testing: comparing tensors in tests."""

from __future__ import annotations

import math

import numpy as np

from ..autograd.gradcheck import gradcheck, gradgradcheck
from ..core import dtypes
from ..creation import as_tensor
from ..tensor import Tensor

# torch's defaults by dtype: (rtol, atol)
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
}


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

    Takes tensors, arrays, numbers, and sequences or mappings of them. Shapes and dtypes must agree.
    """
    if isinstance(expected, dict):
        _same(
            set(actual) == set(expected),
            f"The keys of the mappings do not match: {sorted(map(str, actual))} and {sorted(map(str, expected))}",
            msg,
        )
        pairs = [(actual[k], expected[k]) for k in expected]
    elif isinstance(expected, list | tuple):
        _same(
            len(actual) == len(expected), f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", msg
        )
        pairs = list(zip(actual, expected, strict=True))
    else:
        _compare(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride, msg)
        return
    for a, e in pairs:
        assert_close(
            a, e, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, check_stride=check_stride, msg=msg
        )


def _compare(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride, msg) -> None:
    if (rtol is None) != (atol is None):
        raise ValueError("Either both 'rtol' and 'atol' must be specified or none of them")
    numbers = not isinstance(actual, Tensor) and not isinstance(expected, Tensor)
    a, e = (x if isinstance(x, Tensor) else as_tensor(x) for x in (actual, expected))
    _same(a.shape == e.shape, f"The values for attribute 'shape' do not match: {a.shape} != {e.shape}.", msg)
    if check_dtype and not numbers:
        _same(a.dtype is e.dtype, f"The values for attribute 'dtype' do not match: {a.dtype} != {e.dtype}.", msg)
    if check_stride:
        _same(
            a.stride() == e.stride(),
            f"The values for attribute 'stride()' do not match: {a.stride()} != {e.stride()}.",
            msg,
        )
    if rtol is None:
        limits = [TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (a, e)]
        rtol, atol = max(r for r, _ in limits), max(t for _, t in limits)
    x, y = (t.detach().double().numpy() if t.dtype.category != "int" else t.numpy() for t in (a, e))
    with np.errstate(all="ignore"):
        difference = np.abs(np.subtract(x, y, dtype=np.float64 if x.dtype.kind != "i" else None))
        close = (x == y) | ((difference <= atol + rtol * np.abs(y)) & np.isfinite(difference))
    if equal_nan:
        close |= np.isnan(x) & np.isnan(y)
    if close.all():
        return
    wrong = ~close
    at = np.unravel_index(int(np.argmax(np.where(wrong, np.nan_to_num(difference, nan=math.inf), -1))), wrong.shape)
    what = "Scalars" if numbers else "Tensor-likes"
    _same(
        False,
        f"{what} are not close!\n\nMismatched elements: {wrong.sum()} / {wrong.size} ({wrong.mean():.1%})\n"
        f"Greatest absolute difference: {difference[at]} at index {tuple(map(int, at))} (up to {atol} allowed); "
        f"there: {x[at]} against {y[at]} (relative up to {rtol} allowed)",
        msg,
    )


def _same(holds: bool, text: str, msg) -> None:
    if not holds:
        raise AssertionError(msg(text) if callable(msg) else msg or text)


__all__ = ["assert_close", "gradcheck", "gradgradcheck"]
