"""Window functions: hann_window, hamming_window, blackman_window, bartlett_window, kaiser_window."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from .core import dtypes
from .core.device import check_available, module_on
from .core.function import Function
from .core.layout import check_layout

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def hann_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """sin^2 of half an angle from 0 to 2 pi in window_length steps, or periodic=False one step less: from 0 to 0."""
    return _made("hann_window", _cosine(0.5, 0.5), window_length, periodic, dtype, layout, device, requires_grad)


def hamming_window(
    window_length,
    periodic=None,
    alpha=None,
    beta=None,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """alpha - beta cos of an angle from 0 to 2 pi; alpha is 0.54 and beta 0.46 unless told."""
    if (periodic is None and alpha is not None) or (alpha is None and beta is not None):
        raise TypeError("hamming_window(): 'alpha' goes with 'periodic', and 'beta' with both; name them all")
    shape = _cosine(0.54 if alpha is None else alpha, 0.46 if beta is None else beta)
    return _made("hamming_window", shape, window_length, periodic is not False, dtype, layout, device, requires_grad)


def blackman_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """0.42 - 0.5 cos + 0.08 cos of twice the angle, from 0 to 2 pi."""

    def shape(i, n):
        angle = i * (math.pi / (n - 1))
        return K.cos(angle * 4) * 0.08 - K.cos(angle * 2) * 0.5 + 0.42

    return _made("blackman_window", shape, window_length, periodic, dtype, layout, device, requires_grad)


def bartlett_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """A triangle: from 0 up to 1 and down to 0."""

    def shape(i, n):
        up = i * (2 / (n - 1))
        return K.where(i <= (n - 1) // 2, up, 2 - up)

    return _made("bartlett_window", shape, window_length, periodic, dtype, layout, device, requires_grad)


def kaiser_window(
    window_length,
    periodic=None,
    beta=None,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """i0(beta sqrt(1 - x^2)) / i0(beta) for x from -1 to 1; beta is 12 unless told."""
    if periodic is None and beta is not None:
        raise TypeError("kaiser_window(): 'beta' goes with 'periodic'; name both")
    slope = 12.0 if beta is None else beta

    def shape(i, n):
        x = i * (2 / (n - 1)) - 1
        return K.i0(slope * K.sqrt(K.maximum(1 - x * x, 0))) / K.i0(K.full_like(x, slope, shape=(1,)))

    return _made("kaiser_window", shape, window_length, periodic is not False, dtype, layout, device, requires_grad)


def _cosine(alpha, beta):
    return lambda i, n: K.cos(i * (2 * math.pi / (n - 1))) * -beta + alpha


def _made(name, shape, length, periodic, dtype, layout, device, requires_grad):
    """shape(numbers of the points, how many there are), in the dtype, or for half precision in float32 and rounded."""
    if isinstance(length, bool) or not isinstance(length, int):
        raise TypeError(f"{name}(): argument 'window_length' (position 1) must be int, not {type(length).__name__}")
    check_layout(layout)
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype, name)
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    xp = module_on(check_available(device))
    compute = dtypes.float32 if dtype.itemsize == 2 else dtype
    n = length + 1 if periodic else length  # a periodic window is a symmetric one of a point more, without the last
    points = xp.arange(length).astype(compute.numpy)
    array = xp.ones(length, compute.numpy) if length < 2 else shape(points, n)
    result = Function.as_tensor(K.cast(array, dtype.numpy))
    return result._requiring(True) if requires_grad else result
