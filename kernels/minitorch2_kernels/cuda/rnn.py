"""Recurrent layers on the GPU: a step of time is one matrix product and one kernel for all beside it."""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import rnn as reference
from .arguments import alike, packed
from .gemm import layer_product
from .launch import function, spread


def _supports(*args) -> bool:
    """For any of the kernels here: all its arrays are of one dtype, and gates that are overwritten lie without gaps."""
    arrays = [a for a in args if isinstance(a, cupy.ndarray)]
    return alike(*arrays) and not any(isinstance(a, np.ndarray) for a in args) and min(a.size for a in arrays) > 0


def _overwrites(gates, *args) -> bool:
    return gates.flags.c_contiguous and _supports(gates, *args)


def _runner(name, state):
    """run(n, *arguments): the kernel `name` for n rows of state (N, H). The kernels end in how many elements, and H."""
    kernel, width = function("rnn.cu", name, state.dtype), state.shape[1]
    last = np.int32(width)

    def run(n, *arguments):
        spread(kernel, n * width, (*arguments, np.int64(n * width), last))

    return run


@reference.rnn.cuda_override(_supports)
def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse):
    """rnn: two launches a step."""
    gates, h, weight = packed(gates), h0.copy(), w_hh.T
    bias = None if b_hh is None else packed(b_hh)
    y, products = cupy.empty(gates.shape, gates.dtype), cupy.empty(h.shape, h.dtype)
    step, relu = _runner("rnn_step", h), np.int32(relu)
    for start, stop in reference.steps(sizes, reverse):
        n, at = stop - start, slice(start, stop)
        product = layer_product(h[:n], weight, out=products[:n])
        step(n, gates[at], product, bias, relu, y[at], h[:n])
    return y, h


@reference.rnn_grad.cuda_override(_supports)
def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse):
    """rnn_grad: two launches a step."""
    dy, dh, y = packed(dy), dh.copy(), packed(y)
    dgates = cupy.empty(y.shape, y.dtype)
    kernel, relu = function("rnn.cu", "rnn_step_grad", y.dtype), np.int32(relu)
    for start, stop in reference.steps(sizes, not reverse):
        n, at = stop - start, slice(start, stop)
        size = n * y.shape[1]
        spread(kernel, size, (dy[at], dh[:n], y[at], relu, dgates[at], np.int64(size)))
        layer_product(dgates[at], w_hh, out=dh[:n])
    return dgates, dh


@reference.lstm.cuda_override(_overwrites)
def lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse):
    """lstm: two launches a step, four with a projection. The product is added to the gates as it is made."""
    h, c, weight = h0.copy(), c0.copy(), w_hh.T
    y, cells = (cupy.empty((len(gates), s.shape[1]), gates.dtype) for s in (h0, c0))
    wide = cupy.empty(c.shape, c.dtype)
    step = _runner("lstm_step", c)
    for start, stop in reference.steps(sizes, reverse):
        n, at = stop - start, slice(start, stop)
        layer_product(h[:n], weight, out=gates[at], beta=1.0)
        if w_hr is None:
            step(n, gates[at], c[:n], cells[at], y[at], h[:n])
        else:
            step(n, gates[at], c[:n], cells[at], wide[:n], None)
            layer_product(wide[:n], w_hr.T, out=y[at])
            h[:n] = y[at]
    return y, h, c, gates, cells


@reference.lstm_grad.cuda_override(_supports)
def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse):
    """lstm_grad: two launches a step, four with a projection."""
    dy, gates, cells, before = (packed(a) for a in (dy, gates, cells, before))
    dgates, dh, dc = cupy.empty(gates.shape, gates.dtype), dh.copy(), dc.copy()
    dys = None if w_hr is None else cupy.empty(dy.shape, dy.dtype)
    step, add = _runner("lstm_step_grad", dc), function("rnn.cu", "add_states", dy.dtype)
    for start, stop in reference.steps(sizes, not reverse):
        n, at = stop - start, slice(start, stop)
        given = dy[at], dh[:n]
        if dys is not None:
            spread(add, dys[at].size, (*given, dys[at], np.int64(dys[at].size)))
            given = layer_product(dys[at], w_hr), None
        step(n, *given, dc[:n], gates[at], cells[at], before[at], dgates[at])
        layer_product(dgates[at], w_hh, out=dh[:n])
    if dys is None:
        return dgates, dh, dc, None
    wide = cupy.empty(cells.shape, cells.dtype)
    _runner("lstm_outputs", cells)(len(cells), gates, cells, wide)
    return dgates, dh, dc, layer_product(dys.T, wide)


@reference.gru.cuda_override(_overwrites)
def gru(gates, h0, w_hh, b_hh, sizes, reverse):
    """gru: two launches a step."""
    h, weight = h0.copy(), w_hh.T
    bias = None if b_hh is None else packed(b_hh)
    y, inner = (cupy.empty((len(gates), h.shape[1]), gates.dtype) for _ in range(2))
    products = cupy.empty((len(h), gates.shape[1]), gates.dtype)
    step = _runner("gru_step", h)
    for start, stop in reference.steps(sizes, reverse):
        n, at = stop - start, slice(start, stop)
        product = layer_product(h[:n], weight, out=products[:n])
        step(n, gates[at], product, bias, h[:n], inner[at], y[at])
    return y, h, gates, inner


@reference.gru_grad.cuda_override(_supports)
def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse):
    """gru_grad: two launches a step."""
    dy, gates, inner, before = (packed(a) for a in (dy, gates, inner, before))
    dgates, dproducts = (cupy.empty(gates.shape, gates.dtype) for _ in range(2))
    dh = dh.copy()
    step = _runner("gru_step_grad", dh)
    for start, stop in reference.steps(sizes, not reverse):
        n, at = stop - start, slice(start, stop)
        step(n, dy[at], dh[:n], gates[at], inner[at], before[at], dgates[at], dproducts[at])
        layer_product(dproducts[at], w_hh, out=dh[:n], beta=1.0)
    return dgates, dproducts, dh
