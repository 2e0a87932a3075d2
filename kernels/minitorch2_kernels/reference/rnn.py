"""Recurrent layers: one layer in one direction, the whole sequence at once.

A batch of sequences lies packed, as torch packs it: the rows of step 0, then those of step 1, ... Step t has sizes[t]
rows, the sequences sorted so that the longest come first and sizes never grows; R is their sum, N is sizes[0]. Where
all sequences are equally long that is nothing but (T, N, ...) with the first two dims flattened.

The state (N, H) is kept for all sequences, and a step replaces its first sizes[t] rows. So a sequence that has ended
keeps its last state, and one that has not begun yet (in the reverse direction the short ones begin late) still has its
first one. The same holds for the state's gradient on the way back.

What the input contributes is one product over all rows, made before by the caller; here is what must wait for the
previous step. Gates lie side by side in torch's order. Source: Hochreiter and Schmidhuber, 1997 (LSTM, with Gers'
forget gate, 2000); Sak et al., 2014 (its projection); Cho et al., 2014 (GRU).
"""

from __future__ import annotations

from ..dispatch import kernel, namespace


def steps(sizes, reverse):
    """(start, stop) of each step's rows, in the order in which the layer goes through them."""
    found, start = [], 0
    for n in sizes:
        found.append((start, start + n))
        start += n
    return found[::-1] if reverse else found


def states_before(y, h0, sizes, reverse):
    """The state that each step began with. y (R, P): the states after the steps; h0 (N, P); returns (R, P)."""
    before, state = namespace(y).empty_like(y), h0.copy()
    for start, stop in steps(sizes, reverse):
        n = stop - start
        before[start:stop] = state[:n]
        state[:n] = y[start:stop]
    return before


def sigmoid_(x):
    """1 / (1 + exp(-x)), in place."""
    xp = namespace(x)
    xp.negative(x, out=x)
    xp.exp(x, out=x)
    x += 1
    xp.reciprocal(x, out=x)


def tanh_grad_(g, y):
    """g times the slope of tanh where its value is y, into g."""
    g *= 1 - y * y


def sigmoid_grad_(g, y):
    """g times the slope of the sigmoid where its value is y, into g."""
    g *= y
    g *= 1 - y


@kernel
def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse):
    """(y (R, H), h (N, H)) of h' = tanh(gates + w_hh h + b_hh), or relu.

    gates (R, H) from the input; h0 (N, H); w_hh (H, H), b_hh (H,) or None.
    """
    y, h = namespace(gates).empty_like(gates), h0.copy()
    rnn_steps(gates, h, w_hh, b_hh, relu, steps(sizes, reverse), y)
    return y, h


def rnn_steps(gates, h, w_hh, b_hh, relu, rows, y):
    """`rnn` over the given rows; writes h and y."""
    xp = namespace(gates)
    for start, stop in rows:
        n, new = stop - start, y[start:stop]
        xp.matmul(h[:n], w_hh.T, out=new)
        new += gates[start:stop]
        if b_hh is not None:
            new += b_hh
        if relu:
            xp.maximum(new, 0, out=new)
        else:
            xp.tanh(new, out=new)
        h[:n] = new


@kernel
def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse):
    """(dgates (R, H), dh0 (N, H)) of `rnn`, for dy (R, H) and dh (N, H). w_hh's and b_hh's are sums over dgates."""
    dgates, dh = namespace(dy).empty_like(y), dh.copy()
    rnn_grad_steps(dy, dh, y, w_hh, relu, steps(sizes, not reverse), dgates)
    return dgates, dh


def rnn_grad_steps(dy, dh, y, w_hh, relu, rows, dgates):
    """`rnn_grad` over the given rows; writes dh and dgates."""
    xp = namespace(dy)
    for start, stop in rows:
        n, d, new = stop - start, dgates[start:stop], y[start:stop]
        xp.add(dy[start:stop], dh[:n], out=d)
        if relu:
            d *= new > 0
        else:
            tanh_grad_(d, new)
        xp.matmul(d, w_hh, out=dh[:n])


@kernel
def lstm(gates, h0, c0, w_hh, w_hr, sizes, reverse):
    """(y (R, P), h (N, P), c (N, H), gates (R, 4H), cells (R, H)) of

        i, f, g, o = sigmoid, sigmoid, tanh, sigmoid (gates + w_hh h)
        c' = f c + i g;    h' = o tanh(c')  or, with w_hr,  w_hr (o tanh(c'))

    gates (R, 4H): the input's part with all biases, overwritten by the gates' values; h0 (N, P), c0 (N, H);
    w_hh (4H, P); w_hr (P, H), or None where P = H. cells: c' of every step.
    """
    xp = namespace(gates)
    h, c = h0.copy(), c0.copy()
    y, cells = (xp.empty((len(gates), s.shape[1]), gates.dtype) for s in (h0, c0))
    lstm_steps(gates, h, c, w_hh, w_hr, steps(sizes, reverse), y, cells)
    return y, h, c, gates, cells


def lstm_steps(gates, h, c, w_hh, w_hr, rows, y, cells):
    """`lstm` over the given rows; writes gates, h, c, y and cells."""
    xp, width = namespace(gates), c.shape[1]
    recurrent = xp.empty((len(h), 4 * width), gates.dtype)
    squashed = xp.empty_like(c)
    for start, stop in rows:
        n = stop - start
        gate, cell, product = gates[start:stop], cells[start:stop], squashed[:n]
        i, f, g, o = (gate[:, k * width : (k + 1) * width] for k in range(4))
        gate += xp.matmul(h[:n], w_hh.T, out=recurrent[:n])
        sigmoid_(gate[:, : 2 * width])
        sigmoid_(o)
        xp.tanh(g, out=g)
        xp.multiply(f, c[:n], out=cell)
        cell += xp.multiply(i, g, out=product)
        c[:n] = cell
        xp.tanh(cell, out=product)
        if w_hr is None:
            xp.multiply(o, product, out=y[start:stop])
        else:
            product *= o
            xp.matmul(product, w_hr.T, out=y[start:stop])
        h[:n] = y[start:stop]


@kernel
def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse):
    """(dgates (R, 4H), dh0 (N, P), dc0 (N, H), dw_hr (P, H) or None) of `lstm`, whose gates and cells are given.

    dy (R, P), dh (N, P), dc (N, H): the gradients of y, h and c. before (R, H): the c each step began with. w_hh's and
    the biases' gradients are sums over dgates.
    """
    xp = namespace(dy)
    dgates, dh, dc = xp.empty_like(gates), dh.copy(), dc.copy()
    dys = None if w_hr is None else xp.empty_like(dy)
    lstm_grad_steps(dy, dh, dc, gates, cells, before, w_hh, w_hr, steps(sizes, not reverse), dgates, dys)
    return dgates, dh, dc, projection_grad(dys, gates, cells)


def projection_grad(dys, gates, cells):
    """dw_hr (P, H) from the gradients dys (R, P) of all projected states; None where there is no projection."""
    if dys is None:
        return None
    width = cells.shape[1]
    return dys.T @ (gates[:, 3 * width :] * namespace(cells).tanh(cells))


def lstm_grad_steps(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys):
    """`lstm_grad` over the given rows; writes dh, dc, dgates and, with a projection, dys.

    With dh the gradient of o tanh(c'):  do = dh tanh(c'),  dc' += dh o (1 - tanh(c')^2),  and from there
    di = dc' g,  df = dc' c,  dg = dc' i,  dc = dc' f; each times the slope of its gate.
    """
    xp, width = namespace(dy), cells.shape[1]
    squashed, inner = xp.empty_like(dc), xp.empty_like(dc)
    for start, stop in rows:
        n = stop - start
        gate, d, t, slope = gates[start:stop], dgates[start:stop], squashed[:n], inner[:n]
        i, f, g, o = (gate[:, k * width : (k + 1) * width] for k in range(4))
        di, df, dg, do = (d[:, k * width : (k + 1) * width] for k in range(4))
        dout, dcell = dh[:n], dc[:n]
        dout += dy[start:stop]
        if w_hr is not None:
            dys[start:stop] = dout
            dout = dout @ w_hr
        xp.tanh(cells[start:stop], out=t)
        xp.multiply(dout, t, out=do)
        xp.multiply(t, t, out=slope)
        xp.subtract(1, slope, out=slope)
        slope *= o
        slope *= dout
        dcell += slope
        xp.multiply(dcell, g, out=di)
        xp.multiply(dcell, before[start:stop], out=df)
        xp.multiply(dcell, i, out=dg)
        dcell *= f
        sigmoid_grad_(d[:, : 2 * width], gate[:, : 2 * width])
        tanh_grad_(dg, g)
        sigmoid_grad_(do, o)
        xp.matmul(d, w_hh, out=dh[:n])


@kernel
def gru(gates, h0, w_hh, b_hh, sizes, reverse):
    """(y (R, H), h (N, H), gates (R, 3H), inner (R, H)) of

        r, z = sigmoid(gates + w_hh h + b_hh) for the first two;  n = tanh(gate + r (w_hh h + b_hh)) for the third
        h' = n + z (h - n)

    gates (R, 3H): the input's part with its bias, overwritten by the gates' values; h0 (N, H); w_hh (3H, H); b_hh (3H,)
    or None. inner: what r is multiplied with, of every step.
    """
    xp = namespace(gates)
    h = h0.copy()
    y, inner = (xp.empty((len(gates), h0.shape[1]), gates.dtype) for _ in range(2))
    gru_steps(gates, h, w_hh, b_hh, steps(sizes, reverse), y, inner)
    return y, h, gates, inner


def gru_steps(gates, h, w_hh, b_hh, rows, y, inner):
    """`gru` over the given rows; writes gates, h, y and inner."""
    xp, width = namespace(gates), h.shape[1]
    products = xp.empty((len(h), 3 * width), gates.dtype)
    for start, stop in rows:
        n = stop - start
        gate, recurrent, state, new = gates[start:stop], products[:n], h[:n], y[start:stop]
        xp.matmul(state, w_hh.T, out=recurrent)
        if b_hh is not None:
            recurrent += b_hh
        inner[start:stop] = recurrent[:, 2 * width :]
        reset_update, candidate = gate[:, : 2 * width], gate[:, 2 * width :]
        reset_update += recurrent[:, : 2 * width]
        sigmoid_(reset_update)
        candidate += xp.multiply(gate[:, :width], inner[start:stop], out=new)
        xp.tanh(candidate, out=candidate)
        xp.subtract(state, candidate, out=new)
        new *= gate[:, width : 2 * width]
        new += candidate
        state[...] = new


@kernel
def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse):
    """(dgates (R, 3H), drecurrent (R, 3H), dh0 (N, H)) of `gru`, whose gates and inner are given.

    dy (R, H), dh (N, H): the gradients of y and h. before (R, H): the state each step began with. dgates is that of
    the input's part, drecurrent that of w_hh h + b_hh: they differ in the third gate.
    """
    xp = namespace(dy)
    dgates, drecurrent, dh = xp.empty_like(gates), xp.empty_like(gates), dh.copy()
    gru_grad_steps(dy, dh, gates, inner, before, w_hh, steps(sizes, not reverse), dgates, drecurrent)
    return dgates, drecurrent, dh


def gru_grad_steps(dy, dh, gates, inner, before, w_hh, rows, dgates, drecurrent):
    """`gru_grad` over the given rows; writes dh, dgates and drecurrent.

    dz = dh' (h - n),  dn = dh' (1 - z) times tanh's slope,  dr = dn inner;  h itself gets dh' z and the products' part.
    """
    xp, width = namespace(dy), before.shape[1]
    for start, stop in rows:
        n = stop - start
        gate, d, dr_all, dout = gates[start:stop], dgates[start:stop], drecurrent[start:stop], dh[:n]
        r, z, candidate = (gate[:, k * width : (k + 1) * width] for k in range(3))
        dr, dz, dn = (d[:, k * width : (k + 1) * width] for k in range(3))
        dout += dy[start:stop]
        xp.subtract(before[start:stop], candidate, out=dz)
        dz *= dout
        xp.multiply(dout, 1 - z, out=dn)
        tanh_grad_(dn, candidate)
        xp.multiply(dn, inner[start:stop], out=dr)
        sigmoid_grad_(d[:, : 2 * width], gate[:, : 2 * width])
        dr_all[:, : 2 * width] = d[:, : 2 * width]
        xp.multiply(dn, r, out=dr_all[:, 2 * width :])
        dout *= z
        dout += dr_all @ w_hh
