"""Stacks of recurrent layers, and single steps of them: what nn.RNN, nn.LSTM, nn.GRU and the cells compute.

As in torch these are not part of nn.functional's namespace; the modules are their public form.
"""

from __future__ import annotations

from minitorch2_kernels.dispatch import on_device

from ...core import autocast
from ...core.autocast import listed
from ...core.dtypes import float64
from ...ops.joining import cat, stack
from ...ops.rnn import GRULayer, LSTMLayer, RNNLayer
from .dropout import dropout


def recurrent_stack(mode, x, sizes, state, weights, dropout_p, training):
    """All layers over packed rows x (R, I): (y (R, D * P), state), the states of every layer and direction stacked.

    sizes: how many rows each step has. state: a tuple of (layers * D, N, P), for LSTM a second one of (layers * D, N,
    H). weights: for every layer a list of D tuples (w_ih, w_hh, b_ih, b_hh, w_hr), the last three perhaps None; the
    second of them is the reverse direction. dropout_p: of what goes from one layer to the next, while training.
    """
    lower = _lower_dtype(x) if mode == "LSTM" else None
    projected = weights[0][0][4] is not None
    if lower is not None:
        # torch gives sequences of one length to oneDNN, everything in the lower dtype. In its own loop h is only
        # multiplied, and the dtype of the sums is that of c (see _recurrence in autocast's lists).
        whole = len(set(sizes)) == 1 and not projected and x.numel()
        state = tuple(s.to(lower if whole else state[1].dtype) for s in state)
    found, number = [], 0
    for layer, directions in enumerate(weights):
        outputs = []
        for reverse, parameters in enumerate(directions):
            y, *new = recurrent_layer(mode, x, tuple(s[number] for s in state), parameters, sizes, bool(reverse))
            if lower is not None and projected:  # y is a product there
                y, new[0] = y.to(lower), new[0].to(lower)
            outputs.append(y)
            found.append(new)
            number += 1
        x = outputs[0] if len(outputs) == 1 else cat(outputs, 1)
        if dropout_p and training and layer < len(weights) - 1:
            x = dropout(x, dropout_p, True)
    return x, tuple(stack(s) for s in zip(*found, strict=True))


def _lower_dtype(x):
    """The lower dtype of the CPU's region of autocast that x falls under, or None."""
    inside = autocast.regions and autocast.state.cpu and not on_device(x._data) and x.dtype is not float64
    return autocast.state.lower["cpu"] if inside else None


def recurrent_layer(mode, x, state, parameters, sizes, reverse):
    w_ih, w_hh, b_ih, b_hh, w_hr = parameters
    for t in (x, *state):
        if t._data.dtype != w_ih._data.dtype:
            raise RuntimeError(
                f"mat1 and mat2 must have the same dtype, but got {t.dtype.torch_type} and {w_ih.dtype.torch_type}: "
                "input and state of a recurrent layer have the dtype of its weights; convert one with .to()"
            )
    if mode == "LSTM":
        return LSTMLayer.apply(x, *state, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse)
    if mode == "GRU":
        return GRULayer.apply(x, *state, w_ih, w_hh, b_ih, b_hh, sizes, reverse)
    return RNNLayer.apply(x, *state, w_ih, w_hh, b_ih, b_hh, mode == "RNN_RELU", sizes, reverse)


def recurrent_cell(mode, x, state, w_ih, w_hh, b_ih, b_hh):
    """One step: the new state, a tuple, for x (N, I) and a state of one or (LSTM) two tensors (N, H)."""
    if x._data.shape[1] != w_ih._data.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {x._data.shape[1]} expected {w_ih._data.shape[1]}")
    for i, h in enumerate(state):
        if h._data.shape[0] != x._data.shape[0]:
            raise RuntimeError(
                f"Input batch size {x._data.shape[0]} doesn't match hidden{i} batch size {h._data.shape[0]}"
            )
        if h._data.shape[1] != w_hh._data.shape[1]:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {h._data.shape[1]}, expected {w_hh._data.shape[1]}"
            )
    _, *new = recurrent_layer(mode, x, state, (w_ih, w_hh, b_ih, b_hh, None), (len(x._data),), False)
    return tuple(new)


listed(globals())
