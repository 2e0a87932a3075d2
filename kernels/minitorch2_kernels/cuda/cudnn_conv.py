"""Convolutions by NVIDIA's cuDNN, where it is installed: pip install 'minitorch2[cudnn]'. Else conv.py computes them.

cuDNN is asked first. To conv.py go, then as without it,

- what `cudnn_switches.enabled` = False keeps from it, and what it has no plan for;
- depthwise and very small convolutions, for which conv.py has kernels of one launch without further memory;
- convolutions met for the first time while a CUDA graph is captured: building a plan may have to wait for the GPU. A
  step that ran once before its capture, as it has to, has built its plans;
- convolutions that find no room for the memory their plan needs beside their arrays.
"""

from __future__ import annotations

from typing import Any

import cupy

from .. import cudnn_switches as switches
from .. import precision
from ..out_of_memory import OutOfMemoryError
from ..reference import conv as reference
from . import conv as own
from . import cudnn
from .arguments import MOST, packed

SMALL = own.SMALL  # multiplications up to which conv.py's kernels are left alone
DEPTHWISE = False  # whether cuDNN computes depthwise convolutions too
PLANS = 4096  # kept for each thread; what comes then goes to conv.py. None is given up: captured graphs may use it
ALIGNED = 16  # bytes; what cuDNN is told of all addresses

_get_current_stream = cupy.cuda.get_current_stream
_UNKNOWN: Any = object()


def _aligned(x):
    """x itself if it lies in C order and begins where cuDNN expects it, else a copy."""
    x = packed(x)
    return x.copy() if x.data.ptr % ALIGNED else x


def _convolve(kernel: Any, arguments: tuple, a, b, out):
    """What the kernel computes of its arguments, of which a and b are the arrays: in `out`, or by conv.py."""
    stride, padding, dilation = arguments[-4:-1]
    key = (
        kernel.__name__, a.shape, b.shape, out.shape, tuple(stride), tuple(padding), tuple(dilation), a.dtype,
        precision.layers_allow_tf32, cudnn.must_repeat(), switches.benchmark,
    )  # fmt: skip
    handle, stream = cudnn.handle(), _get_current_stream()
    plan = handle.plans.get(key, _UNKNOWN)
    if plan is None:
        return _without(kernel, arguments)
    if plan is _UNKNOWN and (len(handle.plans) >= PLANS or (stream.ptr and stream.is_capturing())):
        return _without(kernel, arguments)
    a, b = _aligned(a), _aligned(b)
    pointer = handle.use(stream.ptr)
    if plan is _UNKNOWN:
        return out if handle.find(key, a, b, out) else _without(kernel, arguments)
    try:
        plan.run(pointer, a, b, out)
    except OutOfMemoryError:  # conv.py is content with less
        return _without(kernel, arguments)
    return out


def _without(kernel: Any, arguments: tuple):
    """What the kernel computes where there is no cuDNN."""
    for supports, implementation in reversed(kernel.cuda_overrides):
        if supports not in _SUPPORTS and supports(*arguments):
            return implementation(*arguments)
    return kernel.reference(*arguments)


def _taken(a, b, places: int, weight_shape, groups: int, largest: int) -> bool:
    """Whether this convolution is left to cuDNN; places: of the output, in all images; largest: array, in elements."""
    if not switches.enabled or a.dtype not in cudnn.DTYPES or b.dtype != a.dtype or not (a.size and b.size and places):
        return False
    o, cg, kh, kw = weight_shape
    if cg == 1 and o == groups and not DEPTHWISE:
        return False
    return places * o * cg * kh * kw > SMALL and largest <= MOST and cudnn.frontend() is not None


def _fitting(hw, out, khw, stride, padding, dilation) -> bool:
    """Whether `out` is all places that the window has in hw; cuDNN knows of no others."""
    return all(reference.out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) == out[i] > 0 for i in (0, 1))


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    out = _out(x.shape, w.shape[2:], stride, padding, dilation)
    places = len(x) * out[0] * out[1]
    return min(out) > 0 and _taken(x, w, places, w.shape, groups, max(x.size, w.size, places * len(w)))


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    if not _fitting(hw, g.shape[2:], w.shape[2:], stride, padding, dilation):
        return False
    result = len(g) * w.shape[1] * groups * hw[0] * hw[1]
    return _taken(g, w, g.size // (g.shape[1] or 1), w.shape, groups, max(g.size, w.size, result))


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    if not _fitting(x.shape[2:], g.shape[2:], khw, stride, padding, dilation):
        return False
    shape = (g.shape[1], x.shape[1] // groups, *khw)
    return _taken(g, x, g.size // (g.shape[1] or 1), shape, groups, max(g.size, x.size))


def _out(shape, khw, stride, padding, dilation) -> tuple[int, ...]:
    return tuple(reference.out_size(shape[2 + i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))


def conv2d(x, w, stride, padding, dilation, groups):
    """conv2d: see above."""
    y = cupy.empty((len(x), len(w), *_out(x.shape, w.shape[2:], stride, padding, dilation)), x.dtype)
    return _convolve(reference.conv2d, (x, w, stride, padding, dilation, groups), x, w, y)


def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """conv2d_input_grad: see above."""
    dx = cupy.empty((len(g), w.shape[1] * groups, *hw), g.dtype)
    return _convolve(reference.conv2d_input_grad, (g, w, hw, stride, padding, dilation, groups), g, w, dx)


def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """conv2d_weight_grad: see above."""
    dw = cupy.empty((g.shape[1], x.shape[1] // groups, *khw), g.dtype)
    return _convolve(reference.conv2d_weight_grad, (g, x, khw, stride, padding, dilation, groups), g, x, dw)


_SUPPORTS = (_supports, _supports_input_grad, _supports_weight_grad)


def install() -> bool:
    """Has cuDNN asked before conv.py, where NVIDIA's frontend is installed; the library is loaded at the first use."""
    if not cudnn.installed():
        return False
    for kernel, supports, implementation in (
        (reference.conv2d, _supports, conv2d),
        (reference.conv2d_input_grad, _supports_input_grad, conv2d_input_grad),
        (reference.conv2d_weight_grad, _supports_weight_grad, conv2d_weight_grad),
    ):
        kernel.cuda_override(supports)(implementation)
    return True
