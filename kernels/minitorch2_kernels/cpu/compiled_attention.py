"""Attention of float32, compiled by numba: a thread goes through its heads without the interpreter.

Masks and dropout are attention.py's, with a compiled softmax between NumPy's products.
"""

from __future__ import annotations

import numpy as np

from ..reference import attention as reference
from ..reference.copying import ascontiguousarray
from . import attention as blocks
from .blas import one_thread
from .gemm import best_sgemm, sgemm_address
from .jit import Loops
from .pool import share_loop

loops = Loops("attention_loops")
row_loops = Loops("row_loops")

WORTH_SHARING = 1 << 18  # multiplications


def _softmax(scores, scale, causal) -> None:
    length, keys = scores.shape[-2:]
    row_loops.softmax(scores.reshape(-1, keys), np.float32(scale), length, causal)


def _softmax_grad(d, weights, scale) -> None:
    keys = d.shape[-1]
    row_loops.softmax_grad(d.reshape(-1, keys), weights.reshape(-1, keys), np.float32(scale))


def _supports(q, k, v, *rest) -> bool:
    return blocks.supports(q, k, v) and q.dtype == np.float32


def _supports_grad(g, q, k, v, *rest) -> bool:
    return type(g) is np.ndarray and g.dtype == np.float32 and _supports(q, k, v)


def _has_rows(*arrays) -> bool:
    """Whether BLAS can take the matrices of all these where they lie: no gaps within their rows, and those in order."""
    return all(
        a.strides[-1] == 4 and a.strides[-2] >= 4 * a.shape[-1] and min(a.strides) > 0 and a.strides[-2] % 4 == 0
        for a in arrays
    )


def _where(a) -> np.ndarray:
    """attention_loops.py's description of where the heads of a (N, heads, rows, numbers) begin."""
    return np.array((a.__array_interface__["data"][0], *a.strides[:3]), np.int64)


def attention(q, k, v, mask, causal, scale, kept, keep):
    """attention, every thread on some of the heads."""
    if mask is not None or kept is not None or not _has_rows(q, k, v) or not sgemm_address():
        return blocks.forward(q, k, v, mask, causal, scale, kept, keep, _softmax)
    shape = q.shape[:-1]
    q, k, v = (blocks.four(a) for a in (q, k, v))
    (n, heads, length, width), (keys, across) = q.shape, v.shape[2:]
    y, weights = blocks.empty((*q.shape[:-1], across), q), np.empty((n * heads, length, keys), q.dtype)
    sgemms = best_sgemm(length, keys, width), best_sgemm(length, across, keys)
    arrays = *(_where(a) for a in (q, k, v, y)), weights
    with one_thread():
        worth = weights.size * (width + across) / WORTH_SHARING
        share_loop(worth, loops.attend, n * heads, *sgemms, (heads, width, across), *arrays, np.float32(scale), causal)
    return y.reshape(*shape, across), weights.reshape(*shape, keys)


def attention_grad(g, q, k, v, weights, scale, kept, keep, of_mask):
    """attention_grad, every thread on some of the heads."""
    if of_mask or kept is not None or not _has_rows(g, q, k, v) or not sgemm_address():
        return blocks.backward(g, q, k, v, weights, scale, kept, keep, of_mask, _softmax_grad)
    shapes = [a.shape for a in (q, k, v)]
    g, q, k, v = (blocks.four(a) for a in (g, q, k, v))
    (n, heads, length, width), (keys, across) = q.shape, v.shape[2:]
    grads = [blocks.empty(a.shape, a) for a in (q, k, v)]
    sgemms = best_sgemm(length, keys, across), best_sgemm(length, width, keys)
    sgemms += best_sgemm(keys, width, length), best_sgemm(keys, across, length)
    arrays = *(_where(a) for a in (g, q, k, v, *grads)), ascontiguousarray(weights).reshape(-1, length, keys)
    with one_thread():
        worth = 2 * weights.size * (width + across) / WORTH_SHARING
        share_loop(worth, loops.attend_grad, n * heads, sgemms, (heads, width, across), *arrays, np.float32(scale))
    dq, dk, dv = (a.reshape(shape) for a, shape in zip(grads, shapes, strict=True))
    return dq, dk, dv, None


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.attention.override(_supports)(attention)
    reference.attention_grad.override(_supports_grad)(attention_grad)
