"""Recurrent layers on the CPU: every thread takes its part of the batch through the whole sequence.

No thread waits for another between two steps. Where a part would be a few rows only, one thread does them all: a
product of eight rows takes BLAS almost as long as one of sixteen.
"""

from __future__ import annotations

import contextlib
import functools

import numpy as np

from ..reference import rnn as reference
from ..reference.matmul import matmul
from .blas import one_thread
from .pool import get_num_threads, share
from .rows import unbuffered

FEWEST = 64  # rows of a part: a step is a dozen calls of NumPy, for each of which a thread takes the interpreter's lock
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


def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse):
    """rnn, each thread with its part of the batch."""
    y, h = np.empty(gates.shape, gates.dtype), h0.copy()
    share_batch(lambda at, rows: reference.rnn_walk(gates, h[at], w_hh, b_hh, relu, rows, y), sizes, reverse, w_hh)
    return y, h


def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse):
    """rnn_grad, each thread with its part of the batch."""
    dgates, dh = np.empty(y.shape, y.dtype), dh.copy()
    share_batch(
        lambda at, rows: reference.rnn_grad_walk(dy, dh[at], y, w_hh, relu, rows, dgates), sizes, not reverse, w_hh
    )
    return dgates, dh


def lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse, walk):
    """lstm, each thread with its part of the batch."""
    h, c = h0.copy(), c0.copy()
    y, cells = (np.empty((len(gates), s.shape[1]), gates.dtype) for s in (h0, c0))
    share_batch(lambda at, rows: walk(gates, h[at], c[at], w_hh, w_hr, rows, y, cells), sizes, reverse, w_hh)
    return y, h, c, gates, cells


def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse, walk):
    """lstm_grad, each thread with its part of the batch."""
    dgates, dh, dc = np.empty(gates.shape, gates.dtype), dh.copy(), dc.copy()
    dys = None if w_hr is None else np.empty(dy.shape, dy.dtype)

    def part(at, rows):
        walk(dy, dh[at], dc[at], gates, cells, before, w_hh, w_hr, rows, dgates, dys)

    share_batch(part, sizes, not reverse, w_hh)
    return dgates, dh, dc, reference.projection_grad(dys, gates, cells, matmul)


def gru(gates, h0, w_hh, b_hh, sizes, reverse):
    """gru, each thread with its part of the batch."""
    h = h0.copy()
    y, inner = (np.empty((len(gates), h0.shape[1]), gates.dtype) for _ in range(2))
    share_batch(lambda at, rows: reference.gru_walk(gates, h[at], w_hh, b_hh, rows, y, inner), sizes, reverse, w_hh)
    return y, h, gates, inner


def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse):
    """gru_grad, each thread with its part of the batch."""
    dgates, dproducts, dh = np.empty(gates.shape, gates.dtype), np.empty(gates.shape, gates.dtype), dh.copy()

    def part(at, rows):
        reference.gru_grad_walk(dy, dh[at], gates, inner, before, w_hh, rows, dgates, dproducts)

    share_batch(part, sizes, not reverse, w_hh)
    return dgates, dproducts, dh


@functools.lru_cache(maxsize=16)
def _halves(width: int, dtype) -> tuple[np.ndarray, np.ndarray]:
    """(factor, shift), rows of four gates: tanh(x factor) factor + shift = sigmoid(x), but for the third tanh(x)."""
    factor, shift = np.full(4 * width, 0.5, dtype), np.full(4 * width, 0.5, dtype)
    factor[2 * width : 3 * width], shift[2 * width : 3 * width] = 1, 0
    return factor, shift


def lstm_step(gates, products, c, cells, out):
    """reference.lstm_step in fewer calls of NumPy: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2."""
    factor, shift = _halves(c.shape[1], gates.dtype)
    gates += products
    gates *= factor
    np.tanh(gates, out=gates)
    gates *= factor
    gates += shift
    i, f, g, o = reference._parts(gates, 4)
    c *= f
    c += i * g
    cells[...] = c
    np.tanh(c, out=out)
    out *= o


def _lstm_of_numpy(gates, h0, c0, w_hh, w_hr, sizes, reverse):
    """lstm, in fewer calls of NumPy."""

    walk = functools.partial(reference.lstm_walk, step=lstm_step)
    return lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse, walk)


def _lstm_grad_of_numpy(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse):
    """lstm_grad; what is known before the walk is computed for all steps at once: the slopes of the gates, tanh(c') and
    o (1 - tanh(c')^2)."""
    slopes = 1 - gates
    slopes *= gates
    *_, g, o = reference._parts(gates, 4)
    *_, slope_of_g, _ = reference._parts(slopes, 4)
    np.subtract(1, g * g, out=slope_of_g)
    t = np.tanh(cells)
    through = (1 - t * t) * o

    def walk(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys):
        for start, stop in rows:
            at, n = slice(start, stop), stop - start
            dout, d, cell = dh[:n], dgates[at], dc[:n]
            dout += dy[at]
            if w_hr is not None:
                dys[at] = dout
                dout = dout @ w_hr
            i, f, g, _ = reference._parts(gates[at], 4)
            di, df, dg, do = reference._parts(d, 4)
            np.multiply(dout, t[at], out=do)
            cell += dout * through[at]
            np.multiply(cell, g, out=di)
            np.multiply(cell, before[at], out=df)
            np.multiply(cell, i, out=dg)
            cell *= f
            d *= slopes[at]
            np.matmul(d, w_hh, out=dh[:n])

    return lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse, walk)


for _kernel, _shared in (
    (reference.rnn, rnn),
    (reference.rnn_grad, rnn_grad),
    (reference.lstm, _lstm_of_numpy),
    (reference.lstm_grad, _lstm_grad_of_numpy),
    (reference.gru, gru),
    (reference.gru_grad, gru_grad),
):
    _kernel.override(supports)(_shared)
