"""torch.signal.windows: window functions of M points, symmetric, or with sym=False one period of a window that repeats.

options, of all of them: dtype (float32 or float64), layout, device, requires_grad. ValueError for other dtypes, for a
negative M, and for parameters out of range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..core.dtypes import float32, float64, get_default_dtype
from ..core.layout import strided
from ..creation import arange, linspace, ones, tensor
from ..functions import i0, minimum
from ..tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-|n - center| / tau), the center in the middle unless told."""
    made = _made("exponential", M, **options)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    center = (_steps(M, sym) if M > 1 else M - 1) / 2.0 if center is None else center
    scale = 1 / tau
    return linspace(-center * scale, (-center + (M - 1)) * scale, M, **made).abs().neg().exp()


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The sine of angles between 0 and pi."""
    made = _made("cosine", M, **options)
    scale = math.pi / (M + 1 if not sym and M > 1 else M or 1)
    return linspace(0.5 * scale, (0.5 + (M - 1)) * scale, M, **made).sin()


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-(n / std)^2 / 2), n from the middle."""
    made = _made("gaussian", M, **options)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    start = -(_steps(M, sym) if M > 1 else M - 1) / 2.0
    scale = 1 / (std * math.sqrt(2))
    return (-(linspace(start * scale, (start + (M - 1)) * scale, M, **made) ** 2)).exp()


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """i0(sqrt(beta^2 - x^2)) / i0(beta), x from -beta to beta."""
    made = _made("kaiser", M, **options)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M < 2:
        return ones((M,), **made)
    top = tensor(beta, dtype=made["dtype"], device=made["device"])
    end = minimum(top, -top + (M - 1) * (2.0 * top / _steps(M, sym)))
    x = linspace(-top, end, M, **made)
    return i0((top * top - x.pow(2)).sqrt()) / i0(top)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """general_hamming with alpha 0.54."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """general_hamming with alpha 0.5."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """general_cosine of 0.42, 0.5, 0.08."""
    _made("blackman", M, **options)
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A triangle: from 0 up to 1 and down to 0."""
    made = _made("bartlett", M, **options)
    if M < 2:
        return ones((M,), **made)
    return 1 - linspace(-1, -1 + (M - 1) * (2 / _steps(M, sym)), M, **made).abs()


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Tensor:
    """a_0 - a_1 cos(x) + a_2 cos(2x) - ..., x from 0 to 2 pi. TypeError where `a` is no list of numbers."""
    made = _made("general_cosine", M, **options)
    if M < 2:
        return ones((M,), **made)
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    x = linspace(0, (M - 1) * (2 * math.pi / _steps(M, sym)), M, **made)
    weights = tensor([(-1) ** i * w for i, w in enumerate(a)], **made)
    multiples = arange(weights.shape[0], **made)
    return (weights.unsqueeze(-1) * (multiples.unsqueeze(-1) * x).cos()).sum(0)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(x), x from 0 to 2 pi."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """general_cosine of Nuttall's four coefficients, which make the side lobes small."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def _steps(M: int, sym: bool) -> int:
    """From the first point to where a window ends: at its last point, or a point further, where the next one begins."""
    return M - 1 if sym else M


def _made(name: str, M: int, *, dtype=None, layout=strided, device=None, requires_grad=False) -> dict[str, Any]:
    """What a window is made with."""
    dtype = get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (float32, float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    return {"dtype": dtype, "device": device, "requires_grad": requires_grad}
