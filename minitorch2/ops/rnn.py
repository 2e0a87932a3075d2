"""Recurrent layers, fused: one op is one layer in one direction over the whole sequence.

Sequences lie packed, rows (R, features) step by step, as kernels/minitorch2_kernels/reference/rnn.py says. The
input's part of the gates is one product over all rows, and so is every weight's gradient; only what must wait for the
step before is done step by step. Second derivatives run through the same layer made of ordinary ops (`composed`),
which is why all arguments are saved: it computes with them again. What backward needs of the outputs is kept as
copies, so that these may be written in place.
"""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from .joining import cat
from .linalg import linear
from .unary import relu, sigmoid, tanh


def _product_grads(ctx, dgates, x, weight):
    """(dx, dweight) of x weight^T, each where it is wanted. These are arguments 0 and `ctx.weight` of the op."""
    dx = K.matmul(dgates, weight) if ctx.needs_input_grad[0] else None
    return dx, K.matmul(dgates.T, x) if ctx.needs_input_grad[ctx.weight] else None


def _walk(cell, x, state, w_ih, w_hh, b_ih, b_hh, sizes, reverse):
    """A layer of ordinary ops: cell(projected input, projected state, state) -> new state, a tuple that begins with
    the output. Returns (y, *state); see the kernels on how the state's rows follow `sizes`."""
    projected = linear(x, w_ih, b_ih)
    outputs, stop = [], 0
    bounds = []
    for n in sizes:
        bounds.append((stop, stop + n))
        stop += n
    for start, stop in reversed(bounds) if reverse else bounds:
        n = stop - start
        active = tuple(s[:n] for s in state)
        new = cell(projected[start:stop], linear(active[0], w_hh, b_hh), active)
        outputs.append(new[0])
        state = new if n == sizes[0] else tuple(cat((a, s[n:])) for a, s in zip(new, state, strict=True))
    return cat(outputs[::-1] if reverse else outputs), *state


class RNNLayer(Function):
    """h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or relu: (y, h) for x (R, I), h0 (N, H), w_ih (H, I), w_hh (H, H)."""

    weight = 2

    @staticmethod
    def forward(ctx, x, h0, w_ih, w_hh, b_ih, b_hh, relu, sizes, reverse):
        gates = K.linear(x, w_ih, b_ih)
        y, h = K.rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse)
        ctx.save_for_backward(x, h0, w_ih, w_hh, b_ih, b_hh)
        if any(ctx.needs_input_grad):
            ctx.save_constants(y.copy(), K.states_before(y, h0, sizes, reverse))
        ctx.settings = relu, sizes, reverse
        return y, h

    @staticmethod
    def backward(ctx, dy, dh):
        x, _, w_ih, w_hh, _, _ = ctx.saved
        y, before = ctx.constants
        dgates, dh0 = K.rnn_grad(dy, dh, y, w_hh, *ctx.settings)
        dx, dw_ih = _product_grads(ctx, dgates, x, w_ih)
        db = K.channel_sums(dgates)
        return dx, dh0, dw_ih, K.matmul(dgates.T, before), db, db.copy(), None, None, None

    @staticmethod
    def composed(x, h0, w_ih, w_hh, b_ih, b_hh, relu_, sizes, reverse):
        squash = relu if relu_ else tanh
        return _walk(lambda a, b, _: (squash(a + b),), x, (h0,), w_ih, w_hh, b_ih, b_hh, sizes, reverse)


class LSTMLayer(Function):
    """(y, h, c) for x (R, I), h0 (N, P), c0 (N, H), w_ih (4H, I), w_hh (4H, P), w_hr (P, H) or None where P = H."""

    weight = 3

    @staticmethod
    def forward(ctx, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse):
        gates = K.linear(x, w_ih, b_ih if b_hh is None else b_ih + b_hh)
        y, h, c, gates, cells = K.lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse)
        ctx.save_for_backward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
        if any(ctx.needs_input_grad):
            before = K.states_before(y, h0, sizes, reverse), K.states_before(cells, c0, sizes, reverse)
            ctx.save_constants(gates, cells, *before)
        ctx.settings = sizes, reverse
        return y, h, c

    @staticmethod
    def backward(ctx, dy, dh, dc):
        x, _, _, w_ih, w_hh, _, _, w_hr = ctx.saved
        gates, cells, h_before, c_before = ctx.constants
        dgates, dh0, dc0, dw_hr = K.lstm_grad(dy, dh, dc, gates, cells, c_before, w_hh, w_hr, *ctx.settings)
        dx, dw_ih = _product_grads(ctx, dgates, x, w_ih)
        db = K.channel_sums(dgates)
        return dx, dh0, dc0, dw_ih, K.matmul(dgates.T, h_before), db, db.copy(), dw_hr, None, None

    @staticmethod
    def composed(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse):
        def cell(a, b, state):
            i, f, g, o = (a + b).chunk(4, 1)
            c = sigmoid(f) * state[1] + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            return h if w_hr is None else linear(h, w_hr), c

        return _walk(cell, x, (h0, c0), w_ih, w_hh, b_ih, b_hh, sizes, reverse)


class GRULayer(Function):
    """(y, h) for x (R, I), h0 (N, H), w_ih (3H, I), w_hh (3H, H)."""

    weight = 2

    @staticmethod
    def forward(ctx, x, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse):
        y, h, gates, inner = K.gru(K.linear(x, w_ih, b_ih), h0, w_hh, b_hh, sizes, reverse)
        ctx.save_for_backward(x, h0, w_ih, w_hh, b_ih, b_hh)
        if any(ctx.needs_input_grad):
            ctx.save_constants(gates, inner, K.states_before(y, h0, sizes, reverse))
        ctx.settings = sizes, reverse
        return y, h

    @staticmethod
    def backward(ctx, dy, dh):
        x, _, w_ih, w_hh, _, _ = ctx.saved
        before = ctx.constants[-1]
        dgates, dproducts, dh0 = K.gru_grad(dy, dh, *ctx.constants, w_hh, *ctx.settings)
        dx, dw_ih = _product_grads(ctx, dgates, x, w_ih)
        dw_hh = K.matmul(dproducts.T, before)
        return dx, dh0, dw_ih, dw_hh, K.channel_sums(dgates), K.channel_sums(dproducts), None, None

    @staticmethod
    def composed(x, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse):
        def cell(a, b, state):
            (r, z, n), (inner_r, inner_z, inner_n) = a.chunk(3, 1), b.chunk(3, 1)
            n = tanh(n + sigmoid(r + inner_r) * inner_n)
            return (n + sigmoid(z + inner_z) * (state[0] - n),)

        return _walk(cell, x, (h0,), w_ih, w_hh, b_ih, b_hh, sizes, reverse)
