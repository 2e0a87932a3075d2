"""The steps and walks of recurrent layers that numba compiles for compiled_rnn.py. Importing this imports numba.

They are those of reference/rnn.py, under the same names, for float32. A walk takes first the rows of each step as an
int64 array (T, 2), and last which sequences of the batch it is to do; what it changes of the states is theirs. Gates
are gone through in loops of their own where one loop over all of them would have too many rows at hand to be
vectorised.

Every step multiplies by the same matrix, which BLAS would take apart anew each time. Here it is laid out once a walk,
in panels as wide as a tile: 16 rows times (128, 512) take a thread 9 us, and BLAS 18; one row times (1024, 4096) takes
0.24 ms, and two threads of BLAS 0.67.
"""

from __future__ import annotations

import numpy as np

from .scalars import elementwise, sigmoid, tanh
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, tile

_0, _1 = np.float32(0), np.float32(1)
_WIDTH = ROW_BYTES // 4  # numbers of a tile's row


@elementwise
def _rows_of(rows, first, last):
    """(start, stop) in each step of the sequences first to last, in the steps that some of them have."""
    found, count = np.empty_like(rows), 0
    for t in range(len(rows)):
        start, stop = rows[t]
        if stop - start > first:
            found[count, 0], found[count, 1] = start + first, start + min(stop - start, last)
            count += 1
    return found[:count]


@elementwise
def _in_panels(w):
    """w (K, M) as panels (P, K, width), zeros behind the last column."""
    (k, m), count = w.shape, -(-w.shape[1] // _WIDTH)
    panels = np.zeros((count, k, _WIDTH), w.dtype)
    for p in range(count):
        for t in range(k):
            row, begin = panels[p, t], p * _WIDTH
            for j in range(min(_WIDTH, m - begin)):
                row[j] = w[t, begin + j]
    return panels


@elementwise
def _room_for(rows, panels):
    """What _times needs to write `rows` rows: whole tiles of them."""
    return np.empty((-(-rows // ROWS) * ROWS, len(panels) * _WIDTH), panels.dtype)


@elementwise
def _times(a, panels, out):
    """out[:n, :M] = a (n, K) w, and anything beyond; a's rows are C-contiguous."""
    count, k, _ = panels.shape
    numbers, offsets = panels.reshape(-1), np.arange(k) * _WIDTH
    for p in range(count):
        at = p * _WIDTH
        panel = numbers[at * k - at :]  # a tile reads and writes from `at` on
        for r in range(0, len(a), ROWS):
            tile(panel, at, a, r, offsets, out)


@elementwise
def _add(x, more):
    """x (n, m) += more, of the same shape, or wider, or (m,)"""
    for r in range(x.shape[0]):
        row, other = x[r], more if more.ndim == 1 else more[r]
        for j in range(row.size):
            row[j] += other[j]


@elementwise
def _take(x, out):
    """x (n, m) = what `out` has there."""
    for r in range(x.shape[0]):
        row, source = x[r], out[r]
        for j in range(row.size):
            row[j] = source[j]


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
        _add_sigmoid(gate[3 * width :], more[3 * width : 4 * width])
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
        reset, update, candidate, last = (
            gate[:width],
            gate[width : 2 * width],
            gate[2 * width :],
            more[2 * width : 3 * width],
        )
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


@shareable
@elementwise
def rnn_walk(rows, gates, h, w_hh, b_hh, relu, y, first, last):
    rows, h = _rows_of(rows, first, last), h[first:last]
    panels = _in_panels(w_hh.T)
    products = _room_for(len(h), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        state, new = h[: stop - start], y[start:stop]
        _times(state, panels, products)
        _take(new, products)
        _add(new, b_hh)
        rnn_step(gates[start:stop], new, relu)
        _take(state, new)


@shareable
@elementwise
def rnn_grad_walk(rows, dy, dh, y, w_hh, relu, dgates, first, last):
    rows, dh = _rows_of(rows, first, last), dh[first:last]
    panels = _in_panels(w_hh)
    products = _room_for(len(dh), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        state, d = dh[: stop - start], dgates[start:stop]
        _take(d, dy[start:stop])
        _add(d, state)
        rnn_step_grad(d, y[start:stop], relu)
        _times(d, panels, products)
        _take(state, products)


@shareable
@elementwise
def lstm_walk(rows, gates, h, c, w_hh, y, cells, first, last):
    rows, h, c = _rows_of(rows, first, last), h[first:last], c[first:last]
    panels = _in_panels(w_hh.T)
    products = _room_for(len(h), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        n = stop - start
        _times(h[:n], panels, products)
        lstm_step(gates[start:stop], products, c[:n], cells[start:stop], y[start:stop])
        _take(h[:n], y[start:stop])


@shareable
@elementwise
def lstm_grad_walk(rows, dy, dh, dc, gates, cells, before, w_hh, dgates, first, last):
    rows, dh, dc = _rows_of(rows, first, last), dh[first:last], dc[first:last]
    panels = _in_panels(w_hh)
    products = _room_for(len(dh), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        n = stop - start
        _add(dh[:n], dy[start:stop])
        lstm_step_grad(dh[:n], dc[:n], gates[start:stop], cells[start:stop], before[start:stop], dgates[start:stop])
        _times(dgates[start:stop], panels, products)
        _take(dh[:n], products)


@shareable
@elementwise
def gru_walk(rows, gates, h, w_hh, b_hh, y, inner, first, last):
    rows, h = _rows_of(rows, first, last), h[first:last]
    panels = _in_panels(w_hh.T)
    products = _room_for(len(h), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        n, state = stop - start, h[: stop - start]
        _times(state, panels, products)
        _add(products[:n, : len(b_hh)], b_hh)
        gru_step(gates[start:stop], products, state, inner[start:stop], y[start:stop])
        _take(state, y[start:stop])


@shareable
@elementwise
def gru_grad_walk(rows, dy, dh, gates, inner, before, w_hh, dgates, dproducts, first, last):
    rows, dh = _rows_of(rows, first, last), dh[first:last]
    panels = _in_panels(w_hh)
    products = _room_for(len(dh), panels)
    for t in range(len(rows)):
        start, stop = rows[t]
        dout = dh[: stop - start]
        _add(dout, dy[start:stop])
        gru_step_grad(
            dout, gates[start:stop], inner[start:stop], before[start:stop], dgates[start:stop], dproducts[start:stop]
        )
        _times(dproducts[start:stop], panels, products)
        _add(dout, products)
