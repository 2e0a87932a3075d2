"""Softmax and layer normalisation on the GPU, each number of a row read once.

Rows of up to 4096 are held in registers, by a quarter of a warp, a warp or a block. Softmax takes wider rows too, in
two passes, and other axes than the last, a thread for each column. Layer normalisation, and RMS norm, of wider rows are
the reference's.
"""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import norm, softmax
from .arguments import rows_along
from .launch import FLOAT64, MAX_BLOCKS, REALS, acc, dense, function, launch, spread

_THREADS = 256
_WIDE_THREADS = 512
_HELD = ((8, 8), (32, 8), (32, 32), (256, 16))  # threads for a row, values in each: as instantiated in the sources
WIDEST = 256 * 16
# Blocks of layer_norm_grad: they fill an H100 twice; each leaves two rows of partial sums behind.
GRAD_BLOCKS = 264


def _group(width: int, dtype: np.dtype) -> tuple[int, int]:
    """The smallest (threads, values) that hold a row. 32 doubles and what layer_norm_grad sums are too much for one."""
    return next(held for held in _HELD if width <= held[0] * held[1] and (held[1] < 32 or dtype != FLOAT64))


def _blocks(rows: int, threads: int, most: int = MAX_BLOCKS) -> int:
    return min(most, -(-rows * threads // _THREADS))


def _supports_softmax(x, axis) -> bool:
    return dense(x) and x.dtype in REALS and x.ndim > 0 and x.size > 0


def _softmax(x, axis: int, log: bool):
    y = cupy.empty(x.shape, x.dtype)
    rows, width, inner = rows_along(x, axis)
    sizes, flag = (np.int64(rows), np.int64(width)), np.bool_(log)
    if inner != 1:
        kernel = function("softmax.cu", "softmax_columns", x.dtype)
        spread(kernel, rows * inner, (x, y, *sizes, np.int64(inner), flag))
    elif width > WIDEST:
        launch(
            function("softmax.cu", "softmax_wide", x.dtype), min(rows, MAX_BLOCKS), _WIDE_THREADS, (x, y, *sizes, flag)
        )
    else:
        threads, values = _group(width, x.dtype)
        kernel = function("softmax.cu", f"softmax_{threads}_{values}", x.dtype)
        launch(kernel, _blocks(rows, threads), _THREADS, (x, y, sizes[0], np.int32(width), flag))
    return y


@softmax.softmax.cuda_override(_supports_softmax)
def softmax_(x, axis):
    """softmax"""
    return _softmax(x, axis, False)


@softmax.log_softmax.cuda_override(_supports_softmax)
def log_softmax(x, axis):
    """log_softmax"""
    return _softmax(x, axis, True)


def _holds_rows(x, *others) -> bool:
    """Whether registers hold the rows of x, and the other arrays, which may be None, are of its dtype."""
    return (
        dense(x, *others)
        and x.dtype in REALS
        and 0 < x.shape[1] <= WIDEST
        and all(a is None or a.dtype == x.dtype for a in others)
    )


def _norm(name: str, x, affine: tuple, statistics: int, eps: float) -> tuple:
    """(y, statistics (R, 1) ...) of `name`; those of float16 and bfloat16 rows are float32."""
    rows, width = x.shape
    real = acc(x.dtype)
    results = cupy.empty(x.shape, x.dtype), *(cupy.empty((rows, 1), real) for _ in range(statistics))
    threads, values = _group(width, x.dtype)
    if rows:
        kernel = function("layer_norm.cu", f"{name}_{threads}_{values}", x.dtype)
        args = (x, *affine, *results, np.int64(rows), np.int32(width), real(eps))
        launch(kernel, _blocks(rows, threads), _THREADS, args)
    return results


def _norm_grad(name: str, g, x, statistics: tuple, weight) -> tuple:
    """dx and each block's sums in one pass, then dweight and, where there is a mean, dbias: the sums of those, in a
    fixed order."""
    rows, width = x.shape
    summed = len(statistics) * width
    dx, dweight = cupy.empty(x.shape, x.dtype), cupy.empty(width, x.dtype)
    dbias = cupy.empty(width, x.dtype) if len(statistics) == 2 else None
    threads, values = _group(width, x.dtype)
    blocks = _blocks(rows, threads, GRAD_BLOCKS)
    real = np.dtype(acc(x.dtype))
    sums = cupy.empty((blocks, summed), real)
    if rows:
        shared = summed * real.itemsize if threads < _THREADS else 0
        kernel = function("layer_norm.cu", f"{name}_grad_{threads}_{values}", x.dtype)
        args = (g, x, *statistics, weight, dx, sums, np.int64(rows), np.int32(width))
        launch(kernel, blocks, _THREADS, args, shared)
    kernel = function("layer_norm.cu", "layer_norm_sums", x.dtype)
    launch(kernel, -(-summed // 32), 1024, (sums, dweight, dbias, np.int32(blocks), np.int32(width)))
    return dx, dweight, dbias


@norm.layer_norm.cuda_override(lambda x, weight, bias, eps: _holds_rows(x, weight, bias))
def layer_norm(x, weight, bias, eps):
    """layer_norm of rows in registers"""
    return _norm("layer_norm", x, (weight, bias), 2, eps)


@norm.rms_norm.cuda_override(lambda x, weight, eps: _holds_rows(x, weight))
def rms_norm(x, weight, eps):
    """rms_norm of rows in registers"""
    return _norm("rms_norm", x, (weight,), 1, eps)


def _holds_gradients(g, x, *statistics_and_weight) -> bool:
    *statistics, weight = statistics_and_weight
    return _holds_rows(x, g, weight) and dense(*statistics) and all(a.dtype == acc(x.dtype) for a in statistics)


@norm.layer_norm_grad.cuda_override(_holds_gradients)
def layer_norm_grad(g, x, mean, rstd, weight):
    """layer_norm_grad of rows in registers"""
    return _norm_grad("layer_norm", g, x, (mean, rstd), weight)


@norm.rms_norm_grad.cuda_override(_holds_gradients)
def rms_norm_grad(g, x, rstd, weight):
    """rms_norm_grad of rows in registers"""
    return _norm_grad("rms_norm", g, x, (rstd,), weight)[:2]
