"""Recurrent layers on the CPU: every thread takes its part of the batch through the whole sequence.

No thread waits for another between two steps. Where a part would be a few rows only, one thread does them all: a
product of eight rows takes BLAS almost as long as one of sixteen.
"""

from __future__ import annotations

import contextlib

import numpy as np

from ..reference import rnn as reference
from ..reference.matmul import matmul
from .blas import one_thread
from .pool import get_num_threads, share
from .rows import unbuffered

FEWEST = 8  # rows of a part
LARGE = 8 * 2**20  # multiplications of a product that BLAS's own threads shorten


def supports(*args) -> bool:
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    return all(a.dtype == arrays[0].dtype and a.dtype.char in "fd" for a in arrays)


def rows_of(sizes, reverse, first, last):
    """As reference.steps, of the sequences first to last only."""
    found = []
    for start, stop in reference.steps(sizes, reverse):
        n = stop - start
        if n > first:
            found.append((start + first, start + min(n, last)))
    return found


def share_batch(function, sizes, reverse, weight) -> None:
    """Calls function(part, rows) for parts of the batch: a slice of it, and the rows it has in each step.

    weight (G, P) is what every row is multiplied with. Where one thread does all, BLAS may take others for a product
    that is worth it; for less they would only spin from step to step.
    """

    @unbuffered()
    def run(a, b):
        function(slice(a, b), rows_of(sizes, reverse, a, b))

    batch = sizes[0]
    if batch >= FEWEST * get_num_threads() > FEWEST:
        share(run, batch)
        return
    with contextlib.nullcontext() if batch * weight.size > LARGE and get_num_threads() > 1 else one_thread():
        run(0, batch)


def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse, walk=reference.rnn_walk):
    """rnn, each thread with its part of the batch."""
    y, h = np.empty(gates.shape, gates.dtype), h0.copy()
    share_batch(lambda at, rows: walk(gates, h[at], w_hh, b_hh, relu, rows, y), sizes, reverse, w_hh)
    return y, h


def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse, walk=reference.rnn_grad_walk):
    """rnn_grad, each thread with its part of the batch."""
    dgates, dh = np.empty(y.shape, y.dtype), dh.copy()
    share_batch(lambda at, rows: walk(dy, dh[at], y, w_hh, relu, rows, dgates), sizes, not reverse, w_hh)
    return dgates, dh


def lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse, walk=reference.lstm_walk):
    """lstm, each thread with its part of the batch."""
    h, c = h0.copy(), c0.copy()
    y, cells = (np.empty((len(gates), s.shape[1]), gates.dtype) for s in (h0, c0))
    share_batch(lambda at, rows: walk(gates, h[at], c[at], w_hh, w_hr, rows, y, cells), sizes, reverse, w_hh)
    return y, h, c, gates, cells


def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse, walk=reference.lstm_grad_walk):
    """lstm_grad, each thread with its part of the batch."""
    dgates, dh, dc = np.empty(gates.shape, gates.dtype), dh.copy(), dc.copy()
    dys = None if w_hr is None else np.empty(dy.shape, dy.dtype)

    def part(at, rows):
        walk(dy, dh[at], dc[at], gates, cells, before, w_hh, w_hr, rows, dgates, dys)

    share_batch(part, sizes, not reverse, w_hh)
    return dgates, dh, dc, reference.projection_grad(dys, gates, cells, matmul)


def gru(gates, h0, w_hh, b_hh, sizes, reverse, walk=reference.gru_walk):
    """gru, each thread with its part of the batch."""
    h = h0.copy()
    y, inner = (np.empty((len(gates), h0.shape[1]), gates.dtype) for _ in range(2))
    share_batch(lambda at, rows: walk(gates, h[at], w_hh, b_hh, rows, y, inner), sizes, reverse, w_hh)
    return y, h, gates, inner


def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse, walk=reference.gru_grad_walk):
    """gru_grad, each thread with its part of the batch."""
    dgates, dproducts, dh = np.empty(gates.shape, gates.dtype), np.empty(gates.shape, gates.dtype), dh.copy()

    def part(at, rows):
        walk(dy, dh[at], gates, inner, before, w_hh, rows, dgates, dproducts)

    share_batch(part, sizes, not reverse, w_hh)
    return dgates, dproducts, dh


for _kernel, _shared in (
    (reference.rnn, rnn),
    (reference.rnn_grad, rnn_grad),
    (reference.lstm, lstm),
    (reference.lstm_grad, lstm_grad),
    (reference.gru, gru),
    (reference.gru_grad, gru_grad),
):
    _kernel.override(supports)(_shared)
