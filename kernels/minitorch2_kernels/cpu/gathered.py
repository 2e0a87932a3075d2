"""Arrays whose rows have gaps, as the halves of a chunk, brought together for the compiled loops, and broadcast arrays
narrowed.

NumPy computes on such rows where they lie, on one core; to copy them first, on all, and compute on all costs half."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..reference import arithmetic, conv, exponentials, gelu, rectifiers
from ..reference.arithmetic import LONG
from ..reference.copying import ascontiguousarray


def _has_gaps(arrays) -> bool:
    """Whether all are long arrays of floats, in row-major order but for gaps between rows, which one of them has."""
    gaps = False
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype.char not in "fd" or a.size < LONG:
            return False
        if not a.flags.c_contiguous:
            strides = [s for s, n in zip(a.strides, a.shape, strict=True) if n > 1]
            if strides[-1] != a.itemsize or any(s < t for s, t in pairwise(strides)):
                return False
            gaps = True
    return gaps


def _narrowed(a):
    """a without the repetitions along dims that were broadcast."""
    return a[tuple(slice(1) if s == 0 else slice(None) for s in a.strides)]


def _one_is_spread(a, b) -> bool:
    """Whether one of two long arrays of floats was broadcast to the other's shape, as the gradient of a sum is."""
    if not (type(a) is type(b) is np.ndarray and a.shape == b.shape and a.size >= LONG):
        return False
    return a.dtype == b.dtype and a.dtype.char in "fd" and (0 in a.strides) != (0 in b.strides)


def _register_spread(kernel) -> None:
    @kernel.override(_one_is_spread)
    def spread(a, b):
        """of an array and a broadcast one: the same of the array and of what was broadcast."""
        return kernel(_narrowed(a), _narrowed(b))


def _register(kernel, count: int) -> None:
    """An override of `kernel`, whose first `count` arguments are the arrays, none of which it writes to."""

    def supports(*args) -> bool:
        return _has_gaps(args[:count]) and not any(isinstance(a, np.ndarray) for a in args[count:])

    @kernel.override(supports)
    def gathered(*args):
        """of rows with gaps: copies without, and then whichever implementation takes those."""
        return kernel(*map(ascontiguousarray, args[:count]), *args[count:])


def _images_have_gaps(a, b, *settings) -> bool:
    """Whether these are float images and others, or weights, one of them not in row-major order."""
    if not (type(a) is type(b) is np.ndarray and a.dtype == b.dtype and a.dtype.char in "fd"):
        return False
    return not (a.flags.c_contiguous and b.flags.c_contiguous)


def _register_convolution(kernel) -> None:
    @kernel.override(_images_have_gaps)
    def gathered(a, b, *settings):
        """of half of the channels, as they come from a chunk: of a copy without gaps."""
        return kernel(ascontiguousarray(a), ascontiguousarray(b), *settings)


def register() -> None:
    """Puts these overrides after those that compute: the ones registered later are asked first."""
    for kernel in (conv.conv2d, conv.conv2d_input_grad, conv.conv2d_weight_grad):
        _register_convolution(kernel)
    for name in ("plus", "minus", "times", "over"):
        _register(getattr(arithmetic, f"long_{name}"), 2)
        _register_spread(getattr(arithmetic, f"long_{name}"))
    for name in ("exp", "expm1", "tanh", "sigmoid", "log_sigmoid", "silu", "elu", "softplus"):
        _register(getattr(exponentials, name), 1)
    for name in ("tanh", "sigmoid", "log_sigmoid", "silu", "elu", "softplus"):
        _register(getattr(exponentials, f"{name}_grad"), 2)
    for name in ("relu", "hardtanh", "leaky_relu", "hardsigmoid", "hardswish"):
        _register(getattr(rectifiers, name), 1)
        _register(getattr(rectifiers, f"{name}_grad"), 2)
    for name in ("gelu", "gelu_tanh"):
        _register(getattr(gelu, name), 1)
        _register(getattr(gelu, f"{name}_grad"), 3)
