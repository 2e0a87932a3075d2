"""torch.fft, of which the frequencies and shifts are here; the transforms need complex numbers, which are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .core.absent import absent
from .core.device import device as _device
from .core.dtypes import dtype as _dtype
from .core.dtypes import get_default_dtype
from .creation import arange, tensor
from .ops._common import require_tensor
from .tensor import Tensor

_TRANSFORMS = ("fft", "fft2", "fftn", "rfft", "rfft2", "rfftn", "hfft", "hfft2", "hfftn")
globals().update(
    absent(
        "fft",
        "there are no complex tensors here; numpy.fft transforms x.detach().numpy(), without gradients",
        (*_TRANSFORMS, *(f"i{name}" for name in _TRANSFORMS)),
    )
)


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of a transform's n results, (n,), in cycles per unit of the sample spacing d: those that are not
    negative, then those that are. RuntimeError unless dtype is floating. Source: torch.fft.fftfreq."""
    return ifftshift(_frequencies("fftfreq", n, d, -(n // 2), n, dtype, device)).requires_grad_(requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: _dtype | None = None,
    device: _device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of a real transform's n // 2 + 1 results. Source: torch.fft.rfftfreq."""
    return _frequencies("rfftfreq", n, d, 0, n // 2 + 1, dtype, device).requires_grad_(requires_grad)


def _frequencies(op: str, n: int, d: float, first: int, count: int, dtype: _dtype | None, device: Any) -> Tensor:
    """`count` frequencies of a transform of n numbers from the first on, rising, in steps of 1 / (n d)."""
    dtype = dtype or get_default_dtype()
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {count}: [{count}]")
    if not dtype.is_floating_point:
        raise RuntimeError(f"{op} requires a floating point or complex dtype")
    step = tensor(1 / (n * d) if n * d else math.inf, dtype=dtype, device=device)  # rounded first, as torch does
    return arange(first, first + count, dtype=dtype, device=device).mul_(step)


def _shift(op: str, input: Tensor, dim: int | Sequence[int] | None, by: Callable[[int], int]) -> Tensor:
    require_tensor(op, input)
    if input.ndim == 0:
        raise RuntimeError(f"{op}: expected a tensor with at least one dimension")
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    sizes: Any = [input.size(d) for d in dims]  # IndexError for a dim that is not there
    return input.roll([by(n) for n in sizes], list(dims))


def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """input with frequency 0 in the middle of each of these dims, of all without dim. Source: torch.fft.fftshift."""
    return _shift("fft_fftshift", input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of fftshift: frequency 0 first. Source: torch.fft.ifftshift."""
    return _shift("fft_ifftshift", input, dim, lambda n: (n + 1) // 2)


__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]
