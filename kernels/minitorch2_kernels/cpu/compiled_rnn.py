"""Recurrent layers of float32, compiled by numba.

Beside its products a step is one pass over the gates; and with OpenBLAS, whose products compiled code can call, a
thread goes through the whole sequence without the interpreter. With another BLAS, and for an LSTM's projection, only
the steps are compiled.
"""

from __future__ import annotations

import numpy as np

from ..reference import rnn as reference
from . import rnn as shared
from .gemm import sgemm
from .jit import Loops

loops = Loops("rnn_loops")


def _supports(*args) -> bool:
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    return all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)


def _array(rows):
    return np.array(rows, np.int64).reshape(-1, 2)


def _bias(b_hh, gates):
    return np.zeros(gates.shape[1], gates.dtype) if b_hh is None else b_hh


def _transposed(w_hh):
    """w_hh as BLAS multiplies it fastest: it would take it apart anew in each of the many small products of a walk."""
    return np.ascontiguousarray(w_hh.T)


def _like_rows(gates, h):
    """A workspace for the gates of one step."""
    return np.empty((len(h), gates.shape[1]), gates.dtype)


def _rnn_walk(gates, h, w_hh, b_hh, relu, rows, y):
    if (multiply := sgemm()) is None:
        reference.rnn_walk(gates, h, w_hh, b_hh, relu, rows, y, loops.rnn_step)
    else:
        loops.rnn_walk(multiply, _array(rows), gates, h, _transposed(w_hh), _bias(b_hh, gates), relu, y)


def _rnn_grad_walk(dy, dh, y, w_hh, relu, rows, dgates):
    if (multiply := sgemm()) is None:
        reference.rnn_grad_walk(dy, dh, y, w_hh, relu, rows, dgates, loops.rnn_step_grad)
    else:
        loops.rnn_grad_walk(multiply, _array(rows), dy, dh, y, w_hh, relu, dgates)


def _lstm_walk(gates, h, c, w_hh, w_hr, rows, y, cells):
    if w_hr is not None or (multiply := sgemm()) is None:
        reference.lstm_walk(gates, h, c, w_hh, w_hr, rows, y, cells, loops.lstm_step)
    else:
        loops.lstm_walk(multiply, _array(rows), gates, h, c, _transposed(w_hh), y, cells, _like_rows(gates, h))


def _lstm_grad_walk(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys):
    if w_hr is not None or (multiply := sgemm()) is None:
        step = loops.lstm_step_grad
        reference.lstm_grad_walk(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys, step)
    else:
        loops.lstm_grad_walk(multiply, _array(rows), dy, dh, dc, gates, cells, before, w_hh, dgates)


def _gru_walk(gates, h, w_hh, b_hh, rows, y, inner):
    if (multiply := sgemm()) is None:
        reference.gru_walk(gates, h, w_hh, b_hh, rows, y, inner, loops.gru_step)
    else:
        bias, workspace = _bias(b_hh, gates), _like_rows(gates, h)
        loops.gru_walk(multiply, _array(rows), gates, h, _transposed(w_hh), bias, y, inner, workspace)


def _gru_grad_walk(dy, dh, gates, inner, before, w_hh, rows, dgates, dproducts):
    if (multiply := sgemm()) is None:
        step = loops.gru_step_grad
        reference.gru_grad_walk(dy, dh, gates, inner, before, w_hh, rows, dgates, dproducts, step)
    else:
        arrays = dy, dh, gates, inner, before, w_hh, dgates, dproducts
        loops.gru_grad_walk(multiply, _array(rows), *arrays, np.empty_like(dh))


def _compiled(function, walk):
    """The override that is cpu/rnn.py's function with this walk."""

    def override(*args):
        return function(*args, walk=walk, compiled=True)

    override.__doc__ = f"{function.__name__}, compiled."
    return override


def register() -> None:
    """Puts the compiled kernels before the others."""
    for kernel, function, walk in (
        (reference.rnn, shared.rnn, _rnn_walk),
        (reference.rnn_grad, shared.rnn_grad, _rnn_grad_walk),
        (reference.lstm, shared.lstm, _lstm_walk),
        (reference.lstm_grad, shared.lstm_grad, _lstm_grad_walk),
        (reference.gru, shared.gru, _gru_walk),
        (reference.gru_grad, shared.gru_grad, _gru_grad_walk),
    ):
        kernel.override(_supports)(_compiled(function, walk))
