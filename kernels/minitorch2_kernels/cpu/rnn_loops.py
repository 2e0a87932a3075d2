"""The steps and walks of recurrent layers that numba compiles for compiled_rnn.py. Importing this imports numba.

They are those of reference/rnn.py, under the same names, for float32. A walk takes first BLAS's product (gemm.py),
then its rows as an int64 array (T, 2), and last a workspace; `w` is w_hh transposed, in row-major order. Gates are gone
through in loops of their own where one loop over all of them would have too many rows at hand to be vectorised.
"""

from __future__ import annotations

import numpy as np

from .gemm import PLAIN, ROW_MAJOR
from .scalars import elementwise, sigmoid, tanh

_0, _1 = np.float32(0), np.float32(1)


@elementwise
def _times(multiply, a, b, out):
    """out (n, m) = a (n, k) b (k, m)"""
    (n, k), m = a.shape, b.shape[1]
    multiply(ROW_MAJOR, PLAIN, PLAIN, n, m, k, _1, a.ctypes.data, k, b.ctypes.data, m, _0, out.ctypes.data, m)


@elementwise
def _add(x, more):
    """x (n, m) += more, of the same shape or (m,)"""
    for r in range(x.shape[0]):
        row, other = x[r], more if more.ndim == 1 else more[r]
        for j in range(row.size):
            row[j] += other[j]


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


@elementwise
def rnn_walk(multiply, rows, gates, h, w, b_hh, relu, y):
    for t in range(len(rows)):
        start, stop = rows[t]
        state, new = h[: stop - start], y[start:stop]
        _times(multiply, state, w, new)
        _add(new, b_hh)
        rnn_step(gates[start:stop], new, relu)
        state[:] = new


@elementwise
def rnn_grad_walk(multiply, rows, dy, dh, y, w_hh, relu, dgates):
    for t in range(len(rows)):
        start, stop = rows[t]
        state, d = dh[: stop - start], dgates[start:stop]
        d[:] = dy[start:stop]
        _add(d, state)
        rnn_step_grad(d, y[start:stop], relu)
        _times(multiply, d, w_hh, state)


@elementwise
def lstm_walk(multiply, rows, gates, h, c, w, y, cells, workspace):
    for t in range(len(rows)):
        start, stop = rows[t]
        n = stop - start
        _times(multiply, h[:n], w, workspace[:n])
        lstm_step(gates[start:stop], workspace[:n], c[:n], cells[start:stop], y[start:stop])
        h[:n] = y[start:stop]


@elementwise
def lstm_grad_walk(multiply, rows, dy, dh, dc, gates, cells, before, w_hh, dgates):
    for t in range(len(rows)):
        start, stop = rows[t]
        n = stop - start
        _add(dh[:n], dy[start:stop])
        lstm_step_grad(dh[:n], dc[:n], gates[start:stop], cells[start:stop], before[start:stop], dgates[start:stop])
        _times(multiply, dgates[start:stop], w_hh, dh[:n])


@elementwise
def gru_walk(multiply, rows, gates, h, w, b_hh, y, inner, workspace):
    for t in range(len(rows)):
        start, stop = rows[t]
        state, products = h[: stop - start], workspace[: stop - start]
        _times(multiply, state, w, products)
        _add(products, b_hh)
        gru_step(gates[start:stop], products, state, inner[start:stop], y[start:stop])
        state[:] = y[start:stop]


@elementwise
def gru_grad_walk(multiply, rows, dy, dh, gates, inner, before, w_hh, dgates, dproducts, workspace):
    for t in range(len(rows)):
        start, stop = rows[t]
        dout, through = dh[: stop - start], workspace[: stop - start]
        _add(dout, dy[start:stop])
        gru_step_grad(
            dout, gates[start:stop], inner[start:stop], before[start:stop], dgates[start:stop], dproducts[start:stop]
        )
        _times(multiply, dproducts[start:stop], w_hh, through)
        _add(dout, through)
