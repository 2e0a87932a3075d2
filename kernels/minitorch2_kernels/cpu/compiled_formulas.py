"""What is a formula for each number by itself, compiled by numba: one pass on all threads, where NumPy takes one for
each operation, on one. formula_loops.py has the formulas, under the names of the kernels.

One thread takes 53 us for exp of 100,000 numbers and 101 us for tanh; NumPy takes 134 and 269 us."""

from __future__ import annotations

import numpy as np

from ..reference import arithmetic, dropout, elementwise_loss, exponentials, logarithms, pairs, rectifiers, rounding
from .alike import alike, alike_float32
from .gathered import back, together
from .jit import Loops
from .pool import share_loop

loops = Loops("formula_loops")

WORTH_IT = 2048  # numbers; NumPy computes exponentials of fewer before compiled code has been entered
WORTH_SHARING = 1 << 15  # numbers; below, waking the other threads takes longer
WORTH_SHARING_EXPONENTIALS = 8 * 1024


def _computed(loop, worth: float, arrays, numbers=(), out=None):
    """What the loop makes of these arrays and numbers, in `out` or a new array."""
    first = arrays[0]
    y = np.empty(first.shape, first.dtype) if out is None else out
    share_loop(worth, loop, y.size, *(a.reshape(-1) for a in (*arrays, y)), *numbers)
    return y


def _register(kernel, arrays: int, numbers: int = 0, name: str = "") -> None:
    """The formula for a kernel of so many arrays, then so many numbers, then, perhaps, the array for the result."""
    count = arrays + numbers

    def supports(*args) -> bool:
        return alike(*args[:arrays], *args[count:])

    @kernel.override(supports if numbers else alike)  # asked before every call of relu
    def override(*args):
        loop, given = getattr(loops, name or kernel.__name__), map(float, args[arrays:count])
        return _computed(loop, args[0].size / WORTH_SHARING, args[:arrays], given, *args[count:])

    override.__doc__ = f"{kernel.__name__}, compiled."


def _register_exponential(kernel, arrays: int, numbers=lambda: ()) -> None:
    """As _register, in float32; numbers(what the kernel is given behind the arrays) are what the formula takes."""

    def supports(*args) -> bool:
        return alike_float32(*args[:arrays]) and args[0].size >= WORTH_IT

    @kernel.override(supports)
    def override(*args):
        worth = args[0].size / WORTH_SHARING_EXPONENTIALS
        return _computed(getattr(loops, kernel.__name__), worth, args[:arrays], map(float, numbers(*args[arrays:])))

    override.__doc__ = f"{kernel.__name__}, compiled."


def _register_meeting(kernel, dtypes: str, costly: bool) -> None:
    """The formula for a kernel of arrays that broadcast, of these dtypes."""

    def supports(*arrays) -> bool:
        first, least, many = arrays[0], WORTH_IT if costly else WORTH_SHARING, False
        for a in arrays:
            if type(a) is not np.ndarray or a.dtype != first.dtype:
                return False
            many = many or a.size >= least
        return many and first.dtype.char in dtypes

    @kernel.override(supports)
    def override(*arrays):
        loop, worth_sharing = getattr(loops, kernel.__name__), WORTH_SHARING_EXPONENTIALS if costly else WORTH_SHARING
        first = arrays[0]
        if alike(*arrays) and all(a.shape == first.shape for a in arrays):
            return _computed(loop, first.size / worth_sharing, arrays)
        met, y, axes = together(arrays, first.dtype)
        flat = [a if a.size == y.size else np.full(y.size, a[0], y.dtype) for a in met]
        return back(_computed(loop, y.size / worth_sharing, flat, out=y), axes)

    override.__doc__ = f"{kernel.__name__}, compiled."


def _masks(x, mask, keep) -> bool:
    return alike(x) and mask.dtype.char == "?" and mask.flags.c_contiguous and mask.shape == x.shape


def masked_scale(x, mask, keep):
    """masked_scale, compiled."""
    number = x.dtype.type
    arrays = x, mask.view(np.uint8)
    return _computed(loops.masked_scale, x.size / WORTH_SHARING, arrays, (number(1) / number(keep),))


def _ends(a, b, weight) -> bool:
    return alike(a, b) and a.shape == b.shape


def interpolated(a, b, weight):
    """long_interpolated, compiled."""
    return _computed(loops.interpolated, a.size / WORTH_SHARING, (a, b), (float(weight),))


def register() -> None:
    """Puts the compiled kernels before the others."""
    for name in ("negative", "absolute", "square_root", "reciprocal_square_root", "reciprocal", "cube"):
        _register(getattr(arithmetic, f"long_{name}"), 1, name=name)
    _register(arithmetic.long_absolute_grad, 2, name="absolute_grad")
    arithmetic.long_interpolated.override(_ends)(interpolated)
    dropout.masked_scale.override(_masks)(masked_scale)
    _register(elementwise_loss.huber, 1, 1)
    for name, numbers in (("relu", 0), ("hardtanh", 2), ("leaky_relu", 1), ("hardsigmoid", 0), ("hardswish", 0)):
        _register(getattr(rectifiers, name), 1, numbers)
        _register(getattr(rectifiers, f"{name}_grad"), 2, numbers)
    for name in ("hardshrink", "softshrink"):
        _register(getattr(rectifiers, name), 1, 1)
    _register(rectifiers.shrink_grad, 2, 1)
    _register(rectifiers.threshold, 1, 2)
    _register(rectifiers.threshold_grad, 2, 1)
    for name, numbers in (
        ("sign", 0),
        ("floor", 0),
        ("ceil", 0),
        ("rint", 0),
        ("trunc", 0),
        ("frac", 0),
        ("finite", 3),
    ):
        _register(getattr(rounding, f"long_{name}"), 1, numbers, name)
    for name in ("maximum", "minimum", "copysign"):
        _register_meeting(getattr(pairs, name), "fd", False)
    _register_meeting(pairs.maximum_grad, "fd", False)
    _register_meeting(pairs.hypot, "f", True)  # by way of float64
    _register_meeting(pairs.hypot_grad, "fd", False)
    for name in ("log", "log1p", "logit"):
        _register_exponential(getattr(logarithms, name), 1)
    _register(logarithms.log1p_grad, 2)
    _register(logarithms.logit_grad, 2)
    _register_meeting(logarithms.logaddexp, "f", True)
    _register_meeting(logarithms.logaddexp_grad, "f", True)
    for name in ("exp", "expm1", "tanh", "sigmoid", "silu", "log_sigmoid"):
        _register_exponential(getattr(exponentials, name), 1)
    for name in ("tanh_grad", "sigmoid_grad", "silu_grad", "log_sigmoid_grad"):
        _register_exponential(getattr(exponentials, name), 2)
    _register_exponential(elementwise_loss.logits_loss, 2)
    _register_exponential(elementwise_loss.logits_loss_grad, 3)
    _register_exponential(exponentials.softplus, 1, lambda beta, threshold: (beta, 1 / beta, threshold))
    _register_exponential(exponentials.softplus_grad, 2, lambda beta, threshold: (beta, threshold))
    _register_exponential(exponentials.elu, 1, lambda alpha, scale, inner: (alpha * scale, scale, inner))
    _register_exponential(exponentials.elu_grad, 2, lambda alpha, scale, inner: (alpha * scale * inner, scale, inner))
