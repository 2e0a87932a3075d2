"""Functions of single elements on the GPU: one launch and one pass each."""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import cast, exponentials, rectifiers
from ..reference import gelu as of_gelu
from ..reference.dropout import masked_scale as reference_masked_scale
from .arguments import alike, packed
from .launch import FLOAT32, acc, dense, function, spread


def _supports(x) -> bool:
    return alike(x)


def _supports_grad(g, x, saved) -> bool:
    return alike(g, x, saved) and g.shape == x.shape == saved.shape


def _supports_into(x, out=None) -> bool:
    return alike(x) and (out is None or (dense(x, out) and alike(x, out) and x.shape == out.shape))


def _supports_limits(x, low, high, out=None) -> bool:
    return _supports_into(x, out)


def _supports_limits_grad(g, x, low, high) -> bool:
    return alike(g, x) and g.shape == x.shape


def _supports_slope(g, y) -> bool:
    return alike(g, y) and g.shape == y.shape


def _supports_mask(x, mask, keep) -> bool:
    return alike(x) and isinstance(mask, cupy.ndarray) and mask.dtype == bool and mask.shape == x.shape


def _run(name, x, *arguments) -> None:
    """The kernel `name` over as many elements as x has."""
    kernel = function("pointwise.cu", name, x.dtype)
    spread(kernel, x.size, (*arguments, np.int64(x.size)), per_thread=16 // x.itemsize)


def _alone(name, x):
    x = packed(x)
    y = cupy.empty(x.shape, x.dtype)
    _run(name, x, x, y)
    return y


def _with_saved(name, x):
    x = packed(x)
    y, saved = cupy.empty(x.shape, x.dtype), cupy.empty(x.shape, x.dtype)
    _run(name, x, x, y, saved)
    return y, saved


def _grad(name, g, x, saved):
    dx = cupy.empty(x.shape, x.dtype)
    _run(name, x, packed(g), packed(x), packed(saved), dx)
    return dx


@of_gelu.gelu.cuda_override(_supports)
def gelu(x):
    """gelu in one pass."""
    return _with_saved("gelu", x)


@of_gelu.gelu_grad.cuda_override(_supports_grad)
def gelu_grad(g, x, phi):
    """gelu_grad in one pass."""
    return _grad("gelu_grad", g, x, phi)


@of_gelu.gelu_tanh.cuda_override(_supports)
def gelu_tanh(x):
    """gelu_tanh in one pass."""
    return _with_saved("gelu_tanh", x)


@of_gelu.gelu_tanh_grad.cuda_override(_supports_grad)
def gelu_tanh_grad(g, x, t):
    """gelu_tanh_grad in one pass."""
    return _grad("gelu_tanh_grad", g, x, t)


@rectifiers.hardtanh.cuda_override(_supports_limits)
def hardtanh(x, low, high, out=None):
    """hardtanh in one pass."""
    x, number = packed(x), acc(x.dtype)
    y = cupy.empty(x.shape, x.dtype) if out is None else out
    _run("hardtanh", x, x, y, number(low), number(high))
    return y


@rectifiers.hardtanh_grad.cuda_override(_supports_limits_grad)
def hardtanh_grad(g, x, low, high):
    """hardtanh_grad in one pass."""
    number = acc(x.dtype)
    dx = cupy.empty(g.shape, g.dtype)
    _run("hardtanh_grad", x, packed(g), packed(x), dx, number(low), number(high))
    return dx


def _slope(name, g, y):
    dx = cupy.empty(g.shape, g.dtype)
    _run(name, g, packed(g), packed(y), dx)
    return dx


@rectifiers.relu.cuda_override(_supports_into)
def relu(x, out=None):
    """relu in one pass."""
    x = packed(x)
    y = cupy.empty(x.shape, x.dtype) if out is None else out
    _run("relu", x, x, y)
    return y


@rectifiers.relu_grad.cuda_override(_supports_slope)
def relu_grad(g, y):
    """relu_grad in one pass."""
    return _slope("relu_grad", g, y)


@exponentials.sigmoid.cuda_override(_supports)
def sigmoid(x):
    """sigmoid in one pass."""
    return _alone("sigmoid", x)


@exponentials.sigmoid_grad.cuda_override(_supports_slope)
def sigmoid_grad(g, y):
    """sigmoid_grad in one pass."""
    return _slope("sigmoid_grad", g, y)


@exponentials.tanh_grad.cuda_override(_supports_slope)
def tanh_grad(g, y):
    """tanh_grad in one pass."""
    return _slope("tanh_grad", g, y)


@exponentials.silu.cuda_override(_supports)
def silu(x):
    """silu in one pass."""
    return _alone("silu", x)


@exponentials.silu_grad.cuda_override(_supports_slope)
def silu_grad(g, x):
    """silu_grad in one pass."""
    return _slope("silu_grad", g, x)


@reference_masked_scale.cuda_override(_supports_mask)
def masked_scale(x, mask, keep):
    """masked_scale in one pass."""
    x, number = packed(x), acc(x.dtype)
    y = cupy.empty(x.shape, x.dtype)
    _run("masked_scale", x, x, packed(mask), y, number(1) / number(keep))
    return y


def _converted(name, dtype, *arrays):
    """The kernel `name`, which has one type for each array, over arrays of one shape."""
    y = cupy.empty(arrays[0].shape, dtype)
    kernel = function("pointwise.cu", name, FLOAT32)
    spread(kernel, y.size, (*map(packed, arrays), y, np.int64(y.size)), per_thread=8)
    return y


def _supports_float32(x) -> bool:
    return x.dtype == FLOAT32


def _supports_sum(a, b) -> bool:
    return alike(a, b) and a.shape == b.shape


@cast.widen.cuda_override(alike)
def widen(x):
    """widen in one pass."""
    return _converted("widen", FLOAT32, x)


@cast.narrow.cuda_override(_supports_float32)
def narrow(x):
    """narrow in one pass."""
    return _converted("narrow", cast.BFLOAT16, x)


@cast.add_bfloat16.cuda_override(_supports_sum)
def add_bfloat16(a, b):
    """add_bfloat16 in one pass."""
    return _converted("add_bfloat16", cast.BFLOAT16, a, b)
