"""The gradients of softmax and log_softmax on the GPU, one launch each: a warp for a row, a block for a wide one, a
thread for a column where the axis is not the last."""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import softmax
from .arguments import rows_along
from .launch import MAX_BLOCKS, REALS, THREADS, dense, function, launch, spread

_WIDE = 1024  # from here on a row keeps a block busy


def _supports(g, y, axis) -> bool:
    return dense(g, y) and g.dtype == y.dtype and y.dtype in REALS and y.ndim > 0 and y.size > 0


def _grad(g, y, axis: int, log: bool):
    dx = cupy.empty(y.shape, y.dtype)
    rows, width, inner = rows_along(y, axis)
    sizes, flag = (np.int64(rows), np.int64(width)), np.bool_(log)
    if inner != 1:
        kernel = function("softmax_grad.cu", "softmax_grad_columns", y.dtype)
        spread(kernel, rows * inner, (g, y, dx, *sizes, np.int64(inner), flag))
        return dx
    name, rows_at_once = ("blocks", 1) if width >= _WIDE else ("warps", THREADS // 32)
    kernel = function("softmax_grad.cu", f"softmax_grad_{name}", y.dtype)
    launch(kernel, min(MAX_BLOCKS, -(-rows // rows_at_once)), THREADS, (g, y, dx, *sizes, flag))
    return dx


@softmax.softmax_grad.cuda_override(_supports)
def softmax_grad(g, y, axis):
    """softmax_grad"""
    return _grad(g, y, axis, False)


@softmax.log_softmax_grad.cuda_override(_supports)
def log_softmax_grad(g, y, axis):
    """log_softmax_grad"""
    return _grad(g, y, axis, True)
