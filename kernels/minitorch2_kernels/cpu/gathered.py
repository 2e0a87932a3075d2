"""Arrays in another order in memory, or whose rows have gaps, or that were broadcast, brought to the compiled loops.

These take row-major arrays without gaps. NumPy computes on others where they lie, on one core, and number by number
where two have different orders; to bring them into one order first, on all cores, and compute on all costs half of that
and less. What has the order of another layout, as images in channels_last, is not moved at all: its axes change places
for the time of the call."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..reference import (
    arithmetic,
    conv,
    exponentials,
    gelu,
    logarithms,
    matmul,
    norm,
    rectifiers,
    rounding,
    softmax,
    sums,
)
from ..reference.arithmetic import LONG
from ..reference.copying import ascontiguousarray
from .jit import Loops
from .pool import share_loop

loops = Loops("arithmetic_loops")

NARROW = 16  # numbers; NumPy is as fast on rows of fewer


def axes_of(x) -> tuple[int, ...]:
    """x's axes from the slowest in memory to the fastest; those of one element, or broadcast, where they stand."""
    strides = x.strides
    if 0 in strides or 1 in x.shape:
        known = [d for d, n in enumerate(x.shape) if n > 1 and strides[d]]
        moved = iter(sorted(known, key=lambda d: -abs(strides[d])))
        return tuple(next(moved) if d in known else d for d in range(x.ndim))
    return tuple(sorted(range(x.ndim), key=lambda d: -abs(strides[d])))


def in_order(x, axes):
    """x with its axes in that order, without gaps."""
    return ascontiguousarray(x.transpose(axes))


def back(y, axes) -> Any:
    """y, or each of a tuple, with the axes where they were before in_order."""
    if isinstance(y, tuple):
        return tuple(back(part, axes) for part in y)
    return y.transpose(np.argsort(axes))


def together(arrays, dtype) -> tuple[list, Any, tuple[int, ...]]:
    """Arrays that broadcast, as flat ones of one length but those of a single number; an array of `dtype` for what is
    made of them; and its axes, to bring it `back`: in the order of the first array that has its shape and repeats
    nothing."""
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    first = next((a for a in arrays if a.shape == shape and not is_spread(a)), None)
    axes = tuple(range(len(shape))) if first is None else axes_of(first)
    flat = [a.reshape(1) if a.size == 1 else in_order(np.broadcast_to(a, shape), axes).reshape(-1) for a in arrays]
    return flat, np.empty([shape[axis] for axis in axes], dtype), axes


def _to_be_ordered(arrays) -> bool:
    """Whether these are long arrays of floats, of one shape, not all of them row-major and without gaps."""
    first, ordered = arrays[0], True
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype.char not in "fd" or a.size < LONG or a.shape != first.shape:
            return False
        ordered = ordered and a.flags.c_contiguous
    return not ordered


def _register(kernel, count: int) -> None:
    """An override of an elementwise kernel, whose first `count` arguments are the arrays, none of which it writes to:
    all in the order of the first, which the result has then too."""

    def supports(*args) -> bool:
        return _to_be_ordered(args[:count]) and not any(isinstance(a, np.ndarray) for a in args[count:])

    @kernel.override(supports)
    def ordered(*args):
        """of arrays in any order: in that of the first, and then whichever implementation takes those."""
        axes = axes_of(args[0])
        return back(kernel(*(in_order(a, axes) for a in args[:count]), *args[count:]), axes)


def _larger(a, b) -> Any:
    """The one that the other, a number perhaps, is broadcast to."""
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return a if a.size >= b.size else b
    return a if type(a) is np.ndarray else b


def _meeting(a, b, out=None) -> bool:
    """Whether these are a long array of floats, not row-major without gaps, and another that is broadcast to it, or a
    number; and the result can be of its own or lie in the first, which then has no gaps."""
    large = _larger(a, b)
    small = b if large is a else a
    if type(small) is not np.ndarray:
        if not isinstance(small, (float, int)) or not _to_be_ordered((large,)):
            return False
    else:
        if large.dtype != small.dtype or large.dtype.char not in "fd" or large.size < LONG or large.ndim < small.ndim:
            return False
        if large.flags.c_contiguous and small.flags.c_contiguous:
            return False
        if any(m not in (1, n) for n, m in zip(large.shape[large.ndim - small.ndim :], small.shape, strict=True)):
            return False
    if is_spread(large):
        return False
    return out is None or (out is a is large and a.transpose(axes_of(a)).flags.c_contiguous)


def _register_meeting(kernel) -> None:
    @kernel.override(_meeting)
    def ordered(a, b, out=None):
        """of arrays in any order: in that of the one of the result's shape."""
        large = _larger(a, b)
        axes = axes_of(large)

        def in_its_order(x):
            if type(x) is not np.ndarray:
                return x
            return in_order(x.reshape((1,) * (large.ndim - x.ndim) + x.shape), axes)

        a, b = in_its_order(a), in_its_order(b)
        return back(kernel(a, b) if out is None else kernel(a, b, a), axes)


def _narrowed(a):
    """a without the repetitions along dims that were broadcast."""
    return a[tuple(slice(1) if s == 0 else slice(None) for s in a.strides)]


def is_spread(a) -> bool:
    """Whether numbers of a repeat along a dim; one of a single number may have any stride."""
    return 0 in a.strides and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True))


def _one_is_spread(a, b, out=None) -> bool:
    """Whether one of two long arrays of floats was broadcast to the other's shape, as the gradient of a sum is."""
    if out is not None or not (type(a) is type(b) is np.ndarray and a.shape == b.shape and a.size >= LONG):
        return False
    return a.dtype == b.dtype and a.dtype.char in "fd" and is_spread(a) != is_spread(b)


def _register_spread(kernel) -> None:
    @kernel.override(_one_is_spread)
    def spread(a, b):
        """of an array and a broadcast one: the same of the array and of what was broadcast."""
        return kernel(_narrowed(a), _narrowed(b))


@functools.lru_cache(maxsize=1024)
def spaced(shape, strides, itemsize) -> Any:
    """(numbers in a row, how many numbers on the next one begins) of an array in row-major order that has gaps between
    its rows, all as wide; None for another."""
    width, step = 1, 0
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n == 1:
            continue
        if stride <= 0:  # repeated, or backwards
            return None
        if not step and stride == width * itemsize:
            width *= n
            continue
        if not step:
            step = rows_end = stride
        if stride != rows_end:
            return None
        rows_end = stride * n
    return (width, step // itemsize) if step > width * itemsize and step % itemsize == 0 and width >= NARROW else None


def _have_gaps(a, b, out=None) -> bool:
    """Whether these are long arrays of floats, of one shape, at least one with gaps between its rows."""
    if out is not None or not (type(a) is type(b) is np.ndarray and a.dtype == b.dtype and a.dtype.char in "fd"):
        return False
    if a.shape != b.shape or a.size < LONG:
        return False
    rows = {x.flags.c_contiguous or spaced(x.shape, x.strides, x.itemsize) for x in (a, b)} - {True}
    return None not in rows and len({width for width, _ in rows}) == 1


def _register_gaps(name: str) -> None:
    """The loop over rows of such arrays, which are read where they lie."""
    kernel = getattr(arithmetic, f"long_{name}")

    @kernel.override(_have_gaps)
    def override(a, b):
        width = next(spaced(x.shape, x.strides, x.itemsize)[0] for x in (a, b) if not x.flags.c_contiguous)
        y, rows = np.empty(a.shape, a.dtype), a.size // width
        flat, places = [], []
        for x in (a, b):
            step = width if x.flags.c_contiguous else spaced(x.shape, x.strides, x.itemsize)[1]
            flat.append(np.lib.stride_tricks.as_strided(x, ((rows - 1) * step + width,), (x.itemsize,)))
            places.append((1, rows, step, width))
        share_loop(y.size / LONG, getattr(loops, f"{name}_rows"), rows, *flat, y.reshape(rows, width), *places)
        return y

    override.__doc__ = f"{name} of rows with gaps between them, compiled."


def _any_has_gaps(*args) -> bool:
    """Whether the arrays among these are of floats and one of them is not row-major without gaps."""
    ordered = True
    for a in args:
        if a.__class__ is np.ndarray:
            if a.dtype.char not in "fd":
                return False
            ordered = ordered and a.flags.c_contiguous
    return not ordered


def _register_copies(kernel) -> None:
    """An override of a kernel that writes to none of its arguments, and gives row-major results."""

    @kernel.override(_any_has_gaps)
    def gathered(*args):
        """of copies in row-major order, as half of the channels that come from a chunk."""
        return kernel(*(ascontiguousarray(a) if a.__class__ is np.ndarray else a for a in args))


def _sums_to_be_ordered(x, axes, keepdims) -> bool:
    return _to_be_ordered((x,)) and len(axes) > 0


@sums.long_sums.override(_sums_to_be_ordered)
def long_sums(x, axes, keepdims):
    """long_sums of an array in any order: of the axes that these are in its own."""
    order = axes_of(x)
    among = tuple(sorted(order.index(axis) for axis in axes))
    totals = back(sums.long_sums(in_order(x, order), among, True), order)
    return totals if keepdims else totals.reshape([n for d, n in enumerate(totals.shape) if d not in axes])


def _channels_to_be_ordered(x) -> bool:
    return _to_be_ordered((x,)) and x.ndim > 1


@sums.channel_sums.override(_channels_to_be_ordered)
def channel_sums(x):
    """channel_sums of an array in any order."""
    return long_sums(x, (0, *range(2, x.ndim)), False)


def register() -> None:
    """Puts these overrides after those that compute: the ones registered later are asked first."""
    for module, names in (
        (conv, "conv2d conv2d_input_grad conv2d_weight_grad"),
        (matmul, "linear linear_grad"),
        (softmax, "softmax log_softmax softmax_grad log_softmax_grad"),
        (norm, "moments normalize normalize_grad group_norm group_norm_grad"),
        (norm, "layer_norm layer_norm_grad rms_norm rms_norm_grad"),
    ):
        for name in names.split():
            _register_copies(getattr(module, name))
    for name in ("plus", "minus", "times", "over"):
        _register_meeting(getattr(arithmetic, f"long_{name}"))
        _register_spread(getattr(arithmetic, f"long_{name}"))
        _register_gaps(name)
    _register_meeting(rectifiers.prelu)
    for name in ("negative", "absolute", "square_root", "reciprocal_square_root", "reciprocal", "cube"):
        _register(getattr(arithmetic, f"long_{name}"), 1)
    for name in ("sign", "floor", "ceil", "rint", "trunc", "frac", "finite"):
        _register(getattr(rounding, f"long_{name}"), 1)
    for name in ("absolute_grad", "interpolated"):
        _register(getattr(arithmetic, f"long_{name}"), 2)
    for name in ("exp", "expm1", "tanh", "sigmoid", "log_sigmoid", "silu", "elu", "softplus"):
        _register(getattr(exponentials, name), 1)
    for name in ("tanh", "sigmoid", "log_sigmoid", "silu", "elu", "softplus"):
        _register(getattr(exponentials, f"{name}_grad"), 2)
    for name in ("relu", "hardtanh", "leaky_relu", "hardsigmoid", "hardswish", "threshold"):
        _register(getattr(rectifiers, name), 1)
        _register(getattr(rectifiers, f"{name}_grad"), 2)
    for name in ("hardshrink", "softshrink"):
        _register(getattr(rectifiers, name), 1)
    _register(rectifiers.shrink_grad, 2)
    for name in ("log", "log1p", "logit"):
        _register(getattr(logarithms, name), 1)
    for name in ("log1p", "logit"):
        _register(getattr(logarithms, f"{name}_grad"), 2)
    for name in ("gelu", "gelu_tanh"):
        _register(getattr(gelu, name), 1)
        _register(getattr(gelu, f"{name}_grad"), 3)
