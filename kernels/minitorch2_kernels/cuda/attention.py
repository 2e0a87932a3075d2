"""Attention on the GPU: batched products, and one kernel for all that happens to the scores between them.

The products take heads where they lie, with a step between their rows. Scores are in memory once, (batch, L, S).
"""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import attention as reference
from ..reference.dropout import masked_scale
from .arguments import alike, packed
from .gemm import gemm
from .launch import THREADS, acc, function, launch

ROWS = THREADS // 32  # of a block: a warp does one row
MOST_BLOCKS = 1 << 16


def _supports(q, k, v, mask, causal, scale, kept, keep) -> bool:
    if not alike(q, k, v) or min(q.ndim, k.ndim, v.ndim) < 2 or not (q.size and k.size and v.size):
        return False
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    shape = (*batch, q.shape[-2], k.shape[-2])
    return (mask is None or (alike(q, mask) and mask.ndim <= len(shape))) and _supports_kept(kept, shape)


def _supports_grad(g, q, k, v, weights, scale, kept, keep, of_mask) -> bool:
    if not alike(g, q, k, v, weights) or not (g.size and q.size and weights.size):
        return False
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    return g.shape[:-2] == weights.shape[:-2] == batch and _supports_kept(kept, weights.shape)


def _supports_kept(kept, shape) -> bool:
    return kept is None or (isinstance(kept, cupy.ndarray) and kept.dtype == bool and kept.shape == shape)


def _expanded(batch, *arrays):
    """Each (*, rows, columns) as a view with these batch dims."""
    return (a if a.shape[:-2] == batch else cupy.broadcast_to(a, (*batch, *a.shape[-2:])) for a in arrays)


def _mask(mask, shape):
    """(mask, B1, strides in elements): where a row's mask lies, by its batch element (b0, b1) with b1 < B1."""
    if mask is None:
        return None, 1, (0, 0, 0, 0)
    if mask.ndim < len(shape):
        mask = mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape)
    mask = packed(mask)
    leading = shape[:-2]
    if mask.shape[:-2] != leading and len(leading) > 2:  # only two batch dims have a stride each
        mask = packed(cupy.broadcast_to(mask, shape))
    strides, step = [], 1
    for size, full in zip(reversed(mask.shape), reversed(shape), strict=True):
        strides.insert(0, 0 if size == 1 and full != 1 else step)
        step *= size
    if mask.shape[:-2] == leading:  # all batch dims together are one
        return mask, 1, (mask.shape[-2] * mask.shape[-1], 0, *strides[-2:])
    strides = [0] * (4 - len(strides)) + strides
    return mask, leading[-1] if leading else 1, tuple(strides)


def _rows(array) -> int:
    return array.size // array.shape[-1]


def _launch(name, scores, arguments) -> None:
    blocks = -(-_rows(scores) // ROWS)
    launch(function("attention.cu", name, scores.dtype), min(blocks, MOST_BLOCKS), THREADS, arguments)


@reference.attention.cuda_override(_supports)
def attention(q, k, v, mask, causal, scale, kept, keep):
    """attention: product, softmax kernel, product."""
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q, k, v = _expanded(batch, q, k, v)
    scores = gemm(q, k.swapaxes(-1, -2), alpha=float(scale))  # (*, L, S)
    dropped = None if kept is None else cupy.empty(scores.shape, scores.dtype)
    kept = None if kept is None else cupy.ascontiguousarray(kept)
    number, (length, keys) = acc(scores.dtype), scores.shape[-2:]
    mask, inner, strides = _mask(mask, scores.shape)
    numbers = number(1 / keep), np.int64(_rows(scores)), np.int32(length), np.int32(keys), np.int32(causal)
    arguments = (scores, dropped, mask, kept, *numbers, np.int32(inner), *map(np.int64, strides))
    _launch("attention_softmax", scores, arguments)
    return gemm(scores if dropped is None else dropped, v), scores


@reference.attention_grad.cuda_override(_supports_grad)
def attention_grad(g, q, k, v, weights, scale, kept, keep, of_mask):
    """attention_grad: four products, and one kernel from the weights' gradient to that of the scores."""
    q, k, v = _expanded(weights.shape[:-2], q, k, v)
    weights = packed(weights)
    used = weights if kept is None else masked_scale(weights, kept, keep)
    dv = gemm(used.swapaxes(-1, -2), g)
    scores = gemm(g, v.swapaxes(-1, -2))
    kept = None if kept is None else cupy.ascontiguousarray(kept)
    number, keys = acc(scores.dtype), np.int32(scores.shape[-1])
    _launch("attention_softmax_grad", scores, (scores, weights, kept, number(1 / keep), np.int64(_rows(scores)), keys))
    dq = gemm(scores, k, alpha=float(scale))
    dk = gemm(scores.swapaxes(-1, -2), q, alpha=float(scale))
    return dq, dk, dv, scores if of_mask else None
