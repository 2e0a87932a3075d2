"""The steps of recurrent layers that numba compiles for compiled_rnn.py. Importing this imports numba.

They are those of reference/rnn.py, under the same names, for float32. Gates are gone through in loops of their own
where one loop over all of them would have too many rows at hand to be vectorised.
"""

from __future__ import annotations

import numpy as np

from .row_loops import elementwise, sigmoid, tanh

_0, _1 = np.float32(0), np.float32(1)


@elementwise
def _add_sigmoid(x, more):
    for j in range(x.size):
        x[j] = sigmoid(x[j] + more[j])


@elementwise
def _add_tanh(x, more):
    for j in range(x.size):
        x[j] = tanh(x[j] + more[j])


@elementwise
def rnn_step(gates, new, relu):
    for r in range(len(gates)):
        if relu:
            for j in range(gates.shape[1]):
                value = gates[r, j] + new[r, j]
                new[r, j] = _0 if value < _0 else value
        else:
            _add_tanh(new[r], gates[r])


@elementwise
def rnn_step_grad(d, new, relu):
    for r in range(len(d)):
        row, value = d[r], new[r]
        if relu:
            for j in range(row.size):
                row[j] = row[j] if value[j] > _0 else row[j] * _0
        else:
            for j in range(row.size):
                row[j] *= _1 - value[j] * value[j]


@elementwise
def lstm_step(gates, products, c, cells, out):
    width = c.shape[1]
    for r in range(len(gates)):
        gate, more, cell, kept, shown = gates[r], products[r], c[r], cells[r], out[r]
        _add_sigmoid(gate[: 2 * width], more[: 2 * width])
        _add_tanh(gate[2 * width : 3 * width], more[2 * width : 3 * width])
        _add_sigmoid(gate[3 * width :], more[3 * width :])
        i, f, g, o = gate[:width], gate[width : 2 * width], gate[2 * width : 3 * width], gate[3 * width :]
        for j in range(width):
            value = f[j] * cell[j] + i[j] * g[j]
            cell[j] = value
            kept[j] = value
            shown[j] = o[j] * tanh(value)


@elementwise
def lstm_step_grad(dout, dc, gates, cells, before, dgates):
    width = cells.shape[1]
    for r in range(len(gates)):
        gate, d, cell, past, upstream, change = gates[r], dgates[r], cells[r], before[r], dout[r], dc[r]
        i, f, g, o = gate[:width], gate[width : 2 * width], gate[2 * width : 3 * width], gate[3 * width :]
        di, df, dg, do = d[:width], d[width : 2 * width], d[2 * width : 3 * width], d[3 * width :]
        for j in range(width):
            t = tanh(cell[j])
            down = change[j] + upstream[j] * o[j] * (_1 - t * t)
            do[j] = upstream[j] * t * o[j] * (_1 - o[j])
            di[j] = down * g[j] * i[j] * (_1 - i[j])
            df[j] = down * past[j] * f[j] * (_1 - f[j])
            dg[j] = down * i[j] * (_1 - g[j] * g[j])
            change[j] = down * f[j]


@elementwise
def gru_step(gates, products, h, inner, new):
    width = h.shape[1]
    for r in range(len(gates)):
        gate, more, state, kept, out = gates[r], products[r], h[r], inner[r], new[r]
        _add_sigmoid(gate[: 2 * width], more[: 2 * width])
        reset, update, candidate, last = gate[:width], gate[width : 2 * width], gate[2 * width :], more[2 * width :]
        for j in range(width):
            kept[j] = last[j]
            n = tanh(candidate[j] + reset[j] * last[j])
            candidate[j] = n
            out[j] = n + update[j] * (state[j] - n)


@elementwise
def gru_step_grad(dout, gates, inner, before, dgates, dproducts):
    width = before.shape[1]
    for r in range(len(gates)):
        gate, d, products, last, state, down = gates[r], dgates[r], dproducts[r], inner[r], before[r], dout[r]
        reset, update, candidate = gate[:width], gate[width : 2 * width], gate[2 * width :]
        dr, dz, dn, dinner = d[:width], d[width : 2 * width], d[2 * width :], products[2 * width :]
        for j in range(width):
            z, n = update[j], candidate[j]
            through = down[j] * (_1 - z) * (_1 - n * n)
            dz[j] = down[j] * (state[j] - n) * z * (_1 - z)
            dr[j] = through * last[j] * reset[j] * (_1 - reset[j])
            dn[j] = through
            dinner[j] = through * reset[j]
            down[j] *= z
        for j in range(2 * width):
            products[j] = d[j]
