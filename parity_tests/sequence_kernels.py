"""Draws for test_kernels.py: calls of the kernels of attention, GELU, layer norm and recurrent layers.

A case is (draw, tolerance), the tolerance in units of the dtype's eps and of the largest value.
"""

import numpy as np

import minitorch2_kernels as K

ANOTHER_ORDER = 64.0
# In float32, GELU is 2.9e-8 from the exact one, half an eps, and rounds in the last of some twenty steps.
OTHER_FORMULA = 8.0


def attention(d):
    batch = tuple(d.int(1, 3) for _ in range(d.int(0, 3)))
    length, keys, width, out = (d.int(1, 6) for _ in range(4))
    q, k, v = d.array(*batch, length, width), d.array(*batch, keys, width), d.array(*batch, keys, out)
    mask, causal, kept, scores = None, d.of(True, False), None, (*batch, length, keys)
    if d.of(True, False):
        mask = d.array(*(n if d.of(True, False) else 1 for n in scores[d.int(0, len(batch)) :]), own=True)
        mask[mask > 1] = -float("inf")
    if d.of(True, False):
        kept = d.rng.rand(*scores) < 0.5
    return q, k, v, mask, causal, d.of(0.5, 1.0, -2.0), kept, 0.5


def attention_grad(d):
    q, k, v, mask, causal, scale, kept, keep = attention(d)
    _, weights = K.attention.reference(q, k, v, mask, causal, scale, kept, keep)
    return d.array(*q.shape[:-1], v.shape[-1]), q, k, v, weights, scale, kept, keep, d.of(True, False)


def gelu(d):
    return (d.array(*(d.int(1, 9) for _ in range(d.int(1, 3)))) * 3,)


def gelu_grad(d):
    (x,) = gelu(d)
    return d.array(*x.shape), x, K.gelu.reference(x)[1]


def gelu_tanh_grad(d):
    (x,) = gelu(d)
    return d.array(*x.shape), x, K.gelu_tanh.reference(x)[1]


def linear(d):
    rows, width, out = d.int(1, 9), d.int(1, 9), d.int(1, 9)
    return d.array(rows, width), d.array(out, width), d.of(None, d.array(out))


def linear_grad(d):
    x, weight, bias = linear(d)
    g = d.array(len(x), len(weight))
    return g, d.of(None, x), d.of(None, weight), bias is not None


def lengths(d):
    """Rows of each step, and the direction."""
    return tuple(sorted((d.int(1, 5) for _ in range(d.int(1, 4))), reverse=True)), d.of(True, False)


def state_width(d):
    """Of a few numbers, or so wide that a step's product is several panels, of which the last is not full."""
    return d.of(d.int(1, 5), d.int(13, 60))


def lstm(d):
    (sizes, reverse), width = lengths(d), state_width(d)
    out = d.of(None, d.int(1, 5))
    rows, state = sum(sizes), out or width
    w_hr = None if out is None else d.array(out, width)
    return (
        d.array(rows, 4 * width, own=True),
        d.array(sizes[0], state),
        d.array(sizes[0], width),
        d.array(4 * width, state),
        w_hr,
        sizes,
        reverse,
    )


def lstm_grad(d):
    gates, h0, c0, w_hh, w_hr, sizes, reverse = lstm(d)
    with np.errstate(over="ignore"):  # of gates that are shut
        y, h, c, gates, cells = K.lstm.reference(gates.copy(), h0, c0, w_hh, w_hr, sizes, reverse)
    gradients = [d.array(*a.shape) for a in (y, h, c)]
    return *gradients, gates, cells, K.states_before(cells, c0, sizes, reverse), w_hh, w_hr, sizes, reverse


def gru(d, gates=3, scale=1.0):
    (sizes, reverse), width = lengths(d), state_width(d)
    bias = d.of(None, d.array(gates * width))
    w_hh = d.array(gates * width, width, scale=scale)
    return d.array(sum(sizes), gates * width, own=True), d.array(sizes[0], width), w_hh, bias, sizes, reverse


def gru_grad(d):
    gates, h0, w_hh, b_hh, sizes, reverse = gru(d)
    with np.errstate(over="ignore"):
        y, h, gates, inner = K.gru.reference(gates.copy(), h0, w_hh, b_hh, sizes, reverse)
    before = K.states_before(y, h0, sizes, reverse)
    return d.array(*y.shape), d.array(*h.shape), gates, inner, before, w_hh, sizes, reverse


def rnn(d):
    """Of weights that do not make a rounding error larger from step to step."""
    *arrays, sizes, reverse = gru(d, 1, 0.1)
    return *arrays, d.of(True, False), sizes, reverse


def rnn_grad(d):
    gates, h0, w_hh, b_hh, relu, sizes, reverse = rnn(d)
    y, h = K.rnn.reference(gates, h0, w_hh, b_hh, relu, sizes, reverse)
    return d.array(*y.shape), d.array(*h.shape), y, w_hh, relu, sizes, reverse


CASES = {
    "attention": (attention, ANOTHER_ORDER),
    "attention_grad": (attention_grad, ANOTHER_ORDER),
    "gelu": (gelu, OTHER_FORMULA),
    "gelu_grad": (gelu_grad, OTHER_FORMULA),
    "gelu_tanh": (gelu, OTHER_FORMULA),
    "gelu_tanh_grad": (gelu_tanh_grad, OTHER_FORMULA),
    "linear": (linear, ANOTHER_ORDER),
    "linear_grad": (linear_grad, ANOTHER_ORDER),
    "rnn": (rnn, ANOTHER_ORDER),
    "rnn_grad": (rnn_grad, ANOTHER_ORDER),
    "lstm": (lstm, ANOTHER_ORDER),
    "lstm_grad": (lstm_grad, ANOTHER_ORDER),
    "gru": (gru, ANOTHER_ORDER),
    "gru_grad": (gru_grad, ANOTHER_ORDER),
}
