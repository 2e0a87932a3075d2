"""Recurrent layers of float32, compiled by numba.

Beside its products a step is one pass over the gates, and a thread goes through the whole sequence with its part of the
batch without the interpreter. For an LSTM's projection only the steps are compiled.
"""

from __future__ import annotations

import functools

import numpy as np

from ..reference import rnn as reference
from ..reference.copying import ascontiguousarray
from . import rnn as shared
from .jit import Loops
from .pool import get_num_threads, share_loop

loops = Loops("rnn_loops")

FEWEST = 8  # rows of a part, since a product goes through the whole matrix for one row as for four
WORTH_SHARING = 1 << 18  # multiplications


def _supports(*args) -> bool:
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    return all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)


def _supports_grad(*args) -> bool:
    return all(a.dtype == np.float32 for a in args if isinstance(a, np.ndarray))


def _of_whole_rows(function):
    """`function` of arrays without gaps: the gradient of one direction is half of each row."""

    @functools.wraps(function)
    def call(*args):
        return function(*(ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args))

    return call


def _share(loop, sizes, reverse, w_hh, *arrays) -> None:
    """The walk, each thread with its part of the batch; `arrays` are its arguments between the rows and the part."""
    rows, batch = np.array(reference.steps(sizes, reverse), np.int64), sizes[0]
    enough = batch >= FEWEST * get_num_threads()
    worth = sum(sizes) * w_hh.size / WORTH_SHARING if enough else 0
    share_loop(worth, loop, batch, rows, *arrays)


def _bias(b_hh, gates):
    return np.zeros(gates.shape[1], gates.dtype) if b_hh is None else b_hh


def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse):
    """rnn, compiled."""
    y, h = np.empty(gates.shape, gates.dtype), h0.copy()
    _share(loops.rnn_walk, sizes, reverse, w_hh, gates, h, w_hh, _bias(b_hh, gates), relu, y)
    return y, h


def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse):
    """rnn_grad, compiled."""
    dgates, dh = np.empty(y.shape, y.dtype), dh.copy()
    _share(loops.rnn_grad_walk, sizes, not reverse, w_hh, dy, dh, y, w_hh, relu, dgates)
    return dgates, dh


def lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse):
    """lstm, compiled."""
    if w_hr is not None:
        walk = functools.partial(reference.lstm_walk, step=loops.lstm_step)
        return shared.lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse, walk)
    h, c = h0.copy(), c0.copy()
    y, cells = (np.empty((len(gates), s.shape[1]), gates.dtype) for s in (h0, c0))
    _share(loops.lstm_walk, sizes, reverse, w_hh, gates, h, c, w_hh, y, cells)
    return y, h, c, gates, cells


def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse):
    """lstm_grad, compiled."""
    if w_hr is not None:
        walk = functools.partial(reference.lstm_grad_walk, step=loops.lstm_step_grad)
        return shared.lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse, walk)
    dgates, dh, dc = np.empty(gates.shape, gates.dtype), dh.copy(), dc.copy()
    _share(loops.lstm_grad_walk, sizes, not reverse, w_hh, dy, dh, dc, gates, cells, before, w_hh, dgates)
    return dgates, dh, dc, None


def gru(gates, h0, w_hh, b_hh, sizes, reverse):
    """gru, compiled."""
    h = h0.copy()
    y, inner = (np.empty((len(gates), h0.shape[1]), gates.dtype) for _ in range(2))
    _share(loops.gru_walk, sizes, reverse, w_hh, gates, h, w_hh, _bias(b_hh, gates), y, inner)
    return y, h, gates, inner


def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse):
    """gru_grad, compiled."""
    dgates, dproducts, dh = np.empty(gates.shape, gates.dtype), np.empty(gates.shape, gates.dtype), dh.copy()
    arrays = dy, dh, gates, inner, before, w_hh, dgates, dproducts
    _share(loops.gru_grad_walk, sizes, not reverse, w_hh, *arrays)
    return dgates, dproducts, dh


def register() -> None:
    """Puts the compiled kernels before the others."""
    for function in (rnn, lstm, gru):
        getattr(reference, function.__name__).override(_supports)(function)
    for function in (rnn_grad, lstm_grad, gru_grad):
        getattr(reference, function.__name__).override(_supports_grad)(_of_whole_rows(function))
