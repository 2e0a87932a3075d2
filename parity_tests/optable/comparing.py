"""Results of the two libraries, side by side."""

from __future__ import annotations

import numpy as np
import torch

import minitorch2 as mt

from .spec import Rounding

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}


def to_array(x) -> np.ndarray:
    """A tensor's values, as NumPy can hold them."""
    if str(x.dtype) == "torch.bfloat16":
        x = x.float()
    return np.asarray(x.numpy(force=True))


def assert_same(ours, theirs, rounding: Rounding, what: str = "result", eps: float = 0.0) -> None:
    """Same structure, shapes, dtypes, and values within `rounding` (in units of the dtype's eps, or a coarser one)."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, mt.Tensor), f"{what}: a tensor in torch, {ours!r} here"
        _assert_same_tensor(ours, theirs, rounding, what, eps)
    elif isinstance(theirs, tuple | list) and not isinstance(theirs, torch.Size):
        assert isinstance(ours, tuple | list), f"{what}: {len(theirs)} things in torch, {ours!r} here"
        assert len(ours) == len(theirs), f"{what}: {len(theirs)} things in torch, {len(ours)} here"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, rounding, f"{what}[{i}]", eps)
    elif isinstance(theirs, torch.dtype | torch.device | torch.Size):
        assert str(ours) == str(theirs), f"{what}: {theirs} in torch, {ours} here"
    else:
        assert type(ours) is type(theirs) and (ours == theirs or (ours != ours and theirs != theirs)), (
            f"{what}: {theirs!r} in torch, {ours!r} here"
        )


def _assert_same_tensor(ours, theirs, rounding, what, eps):
    shapes = tuple(ours.shape), tuple(theirs.shape)
    assert shapes[0] == shapes[1], f"{what}: shape {shapes[1]} in torch, {shapes[0]} here"
    assert str(ours.dtype) == str(theirs.dtype), f"{what}: {theirs.dtype} in torch, {ours.dtype} here"
    a, b = to_array(ours), to_array(theirs)
    close = same_values(a, b, str(theirs.dtype).removeprefix("torch."), rounding, eps)
    if not close.all():
        at = tuple(map(int, np.argwhere(~close)[0]))
        raise AssertionError(
            f"{what}: {b[at]!r} in torch, {a[at]!r} here, at {at} ({(~close).sum()} of {close.size} differ)\n"
            f"torch:\n{theirs}\nminitorch2:\n{ours}"
        )


def same_values(a, b, dtype: str, rounding: Rounding, eps: float = 0.0) -> np.ndarray:
    """Where a equals b: nan like nan, infinities alike, numbers within the rounding."""
    if dtype not in EPS:
        return np.asarray(a == b)
    eps = max(eps, EPS[dtype])
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    finite = np.isfinite(b)
    size = np.max(np.abs(b[finite]), initial=1.0)
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= eps * (rounding.relative * np.abs(b) + rounding.absolute * size) + (
            SMALLEST[dtype] if rounding.relative else 0.0
        )
    return np.asarray((a == b) | (near & finite) | (np.isnan(a) & np.isnan(b)))


def outcome(action):
    """What an action gives, or the exception it raises."""
    try:
        return action(), None
    except Exception as error:
        return None, error


def same_error(ours: Exception | None, theirs: Exception | None) -> None:
    """Both raised the same type of exception."""
    assert ours is not None, f"torch raises {type(theirs).__name__}: {theirs}\nminitorch2 computes a result"
    assert theirs is not None, f"minitorch2 raises {type(ours).__name__}: {ours}\ntorch computes a result"
    assert type(ours) is type(theirs), (
        f"torch raises {type(theirs).__name__}: {theirs}\nminitorch2 raises {type(ours).__name__}: {ours}"
    )
