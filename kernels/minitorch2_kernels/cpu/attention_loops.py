"""The loops that numba compiles for compiled_attention.py. Importing this module imports numba.

A head at a time: its products, and what is between them, while its scores are in the cache. Heads lie anywhere, with
steps between their rows, so all that is known of one is where it begins: for head h of sequence n, at where[0] + n *
where[1] + h * where[2], with rows where[3] apart, in bytes. The rows of scores and weights (N * heads, L, S) have no
gaps between them.
"""

from __future__ import annotations

import numpy as np

from .gemm import PLAIN, TRANSPOSED
from .loops import inner
from .product_loops import times
from .row_loops import softmax, softmax_grad, summing
from .share_loops import shareable


@inner
def _begin(where, i, heads):
    """Where the i-th of all heads begins, and how many numbers its rows are apart."""
    return where[0] + i // heads * where[1] + i % heads * where[2], where[3] // 4


@shareable
@summing
def attend(of_scores, of_values, sizes, q_at, k_at, v_at, y_at, weights, scale, causal, start, stop):
    """Heads start to stop: weights = softmax(scale q k^T), causal or not, and y = weights v.

    sizes: heads of a sequence, numbers of a row of q and k, of v and y. of_scores, of_values: the addresses of sgemm
    for the two products."""
    heads, width, across = sizes
    length, keys = weights.shape[1:]
    for i in range(start, stop):
        (q, q_row), (k, k_row) = _begin(q_at, i, heads), _begin(k_at, i, heads)
        (v, v_row), (y, y_row) = _begin(v_at, i, heads), _begin(y_at, i, heads)
        w, scores = weights[i].ctypes.data, weights[i]
        times(of_scores, PLAIN, TRANSPOSED, length, keys, width, q, q_row, k, k_row, 0, w, keys)
        softmax(scores, scale, length, causal)
        times(of_values, PLAIN, PLAIN, length, across, keys, w, keys, v, v_row, 0, y, y_row)


@shareable
@summing
def attend_grad(sgemms, sizes, g_at, q_at, k_at, v_at, dq_at, dk_at, dv_at, weights, scale, start, stop):
    """Heads start to stop of dq, dk and dv, for the gradient g of y. sgemms: the addresses of sgemm for g v^T, dq, dk
    and dv."""
    heads, width, across = sizes
    length, keys = weights.shape[1:]
    d = np.empty((length, keys), weights.dtype)
    for i in range(start, stop):
        (g, g_row), (q, q_row), (k, k_row) = _begin(g_at, i, heads), _begin(q_at, i, heads), _begin(k_at, i, heads)
        (v, v_row), (dq, dq_row) = _begin(v_at, i, heads), _begin(dq_at, i, heads)
        (dk, dk_row), (dv, dv_row) = _begin(dk_at, i, heads), _begin(dv_at, i, heads)
        w, scores = weights[i].ctypes.data, d.ctypes.data
        times(sgemms[3], TRANSPOSED, PLAIN, keys, across, length, w, keys, g, g_row, 0, dv, dv_row)
        times(sgemms[0], PLAIN, TRANSPOSED, length, keys, across, g, g_row, v, v_row, 0, scores, keys)
        softmax_grad(d, weights[i], scale)
        times(sgemms[1], PLAIN, PLAIN, length, width, keys, scores, keys, k, k_row, 0, dq, dq_row)
        times(sgemms[2], TRANSPOSED, PLAIN, keys, width, length, scores, keys, q, q_row, 0, dk, dk_row)
