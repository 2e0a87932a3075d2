"""Recurrent layers: one layer in one direction, the whole sequence at once.

A batch of sequences lies packed, as torch packs it: the rows of step 0, then those of step 1, ... Step t has sizes[t]
rows, the sequences sorted so that the longest come first and sizes never grows; R is their sum, N is sizes[0]. Where
all sequences are equally long that is nothing but (T, N, ...) with the first two dims flattened.

The state (N, H) is kept for all sequences, and a step replaces its first sizes[t] rows. So a sequence that has ended
keeps its last state, and one that has not begun yet (in the reverse direction the short ones begin late) still has its
first one. The same holds for the state's gradient on the way back.

What the input contributes is one product over all rows, made before by the caller; here is what must wait for the
previous step. Gates lie side by side in torch's order. Each kernel is a walk over the steps, and a function for what
one step computes beside its products: faster kernels are the same walks, over a part of the batch or with another such
function. Source: Hochreiter and Schmidhuber, 1997 (LSTM, with Gers'
forget gate, 2000); Sak et al., 2014 (its projection); Cho et al., 2014 (GRU).
"""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .matmul import matmul


def steps(sizes, reverse):
    """(start, stop) of each step's rows, in the order in which the layer goes through them."""
    found, start = [], 0
    for n in sizes:
        found.append((start, start + n))
        start += n
    return found[::-1] if reverse else found


def states_before(y, h0, sizes, reverse):
    """The state that each step began with. y (R, P): the states after the steps; h0 (N, P); returns (R, P)."""
    before = namespace(y).empty_like(y)
    n = sizes[0]
    if sizes[-1] == n and reverse:  # equally long: all rows move by one step
        before[-n:], before[:-n] = h0, y[n:]
        return before
    if sizes[-1] == n:
        before[:n], before[n:] = h0, y[:-n]
        return before
    state = h0.copy()
    for start, stop in steps(sizes, reverse):
        n = stop - start
        before[start:stop] = state[:n]
        state[:n] = y[start:stop]
    return before


def _parts(x, number):
    """x (n, number * H) as so many views (n, H)."""
    width = x.shape[1] // number
    return (x[:, i * width : (i + 1) * width] for i in range(number))


def _sigmoid(x):
    """1 / (1 + exp(-x)), in place."""
    xp = namespace(x)
    x *= -1  # not xp.negative: NumPy 2.4's is wrong for some steps between the numbers of its output
    xp.exp(x, out=x)
    x += 1
    xp.reciprocal(x, out=x)


def rnn_step(gates, new, relu):
    """new (n, H) = tanh(gates + new), or relu."""
    xp = namespace(gates)
    new += gates
    if relu:
        xp.maximum(new, 0, out=new)
    else:
        xp.tanh(new, out=new)


def rnn_walk(gates, h, w_hh, b_hh, relu, rows, y, step=rnn_step):
    """Writes h and y."""
    xp = namespace(gates)
    for start, stop in rows:
        n, new = stop - start, y[start:stop]
        xp.matmul(h[:n], w_hh.T, out=new)
        if b_hh is not None:
            new += b_hh
        step(gates[start:stop], new, relu)
        h[:n] = new


@kernel
def rnn(gates, h0, w_hh, b_hh, relu, sizes, reverse):
    """(y (R, H), h (N, H)) of h' = tanh(gates + w_hh h + b_hh), or relu.

    gates (R, H) from the input; h0 (N, H); w_hh (H, H), b_hh (H,) or None.
    """
    y, h = namespace(gates).empty_like(gates), h0.copy()
    rnn_walk(gates, h, w_hh, b_hh, relu, steps(sizes, reverse), y)
    return y, h


def rnn_step_grad(d, new, relu):
    """d (n, H) times the slope where the value is `new`, in place."""
    d *= (new > 0) if relu else 1 - new * new


def rnn_grad_walk(dy, dh, y, w_hh, relu, rows, dgates, step=rnn_step_grad):
    """Writes dh and dgates."""
    xp = namespace(dy)
    for start, stop in rows:
        n, d = stop - start, dgates[start:stop]
        xp.add(dy[start:stop], dh[:n], out=d)
        step(d, y[start:stop], relu)
        xp.matmul(d, w_hh, out=dh[:n])


@kernel
def rnn_grad(dy, dh, y, w_hh, relu, sizes, reverse):
    """(dgates (R, H), dh0 (N, H)) of `rnn`, for dy (R, H) and dh (N, H). w_hh's and b_hh's are sums over dgates."""
    dgates, dh = namespace(dy).empty_like(y), dh.copy()
    rnn_grad_walk(dy, dh, y, w_hh, relu, steps(sizes, not reverse), dgates)
    return dgates, dh


def lstm_step(gates, products, c, cells, out):
    """gates (n, 4H) become their values; c (n, H) and cells become c'; out (n, H) becomes o tanh(c')."""
    xp, width = namespace(gates), c.shape[1]
    gates += products
    i, f, g, o = _parts(gates, 4)
    _sigmoid(gates[:, : 2 * width])
    xp.tanh(g, out=g)
    _sigmoid(o)
    c *= f
    c += i * g
    cells[...] = c
    xp.tanh(c, out=out)
    out *= o


def lstm_walk(gates, h, c, w_hh, w_hr, rows, y, cells, step=lstm_step):
    """Writes gates, h, c, y and cells."""
    xp = namespace(gates)
    products, wide = xp.empty((len(h), gates.shape[1]), gates.dtype), xp.empty_like(c)
    for start, stop in rows:
        n, new = stop - start, y[start:stop]
        xp.matmul(h[:n], w_hh.T, out=products[:n])
        step(gates[start:stop], products[:n], c[:n], cells[start:stop], new if w_hr is None else wide[:n])
        if w_hr is not None:
            xp.matmul(wide[:n], w_hr.T, out=new)
        h[:n] = new


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
    lstm_walk(gates, h, c, w_hh, w_hr, steps(sizes, reverse), y, cells)
    return y, h, c, gates, cells


def lstm_step_grad(dout, dc, gates, cells, before, dgates):
    """dgates (n, 4H) from dout (n, H), the gradient of o tanh(c'); dc (n, H), that of c', becomes that of c.

    do = dout tanh(c'),  dc' += dout o (1 - tanh(c')^2),  and from there  di = dc' g,  df = dc' c,  dg = dc' i,
    dc = dc' f; each times the slope of its gate.
    """
    xp, width = namespace(dout), cells.shape[1]
    i, f, g, o = _parts(gates, 4)
    di, df, dg, do = _parts(dgates, 4)
    t = xp.tanh(cells)
    xp.multiply(dout, t, out=do)
    dc += (1 - t * t) * o * dout
    xp.multiply(dc, g, out=di)
    xp.multiply(dc, before, out=df)
    xp.multiply(dc, i, out=dg)
    dc *= f
    dg *= 1 - g * g
    for d, gate in ((dgates[:, : 2 * width], gates[:, : 2 * width]), (do, o)):
        d *= gate
        d *= 1 - gate


def lstm_grad_walk(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys, step=lstm_step_grad):
    """Writes dh, dc, dgates and, with a projection, dys."""
    xp = namespace(dy)
    for start, stop in rows:
        n = stop - start
        dout = dh[:n]
        dout += dy[start:stop]
        if w_hr is not None:
            dys[start:stop] = dout
            dout = matmul(dout, w_hr)
        step(dout, dc[:n], gates[start:stop], cells[start:stop], before[start:stop], dgates[start:stop])
        xp.matmul(dgates[start:stop], w_hh, out=dh[:n])


def projection_grad(dys, gates, cells, matmul):
    """dw_hr (P, H) from the gradients dys (R, P) of all projected states; None where there is no projection."""
    if dys is None:
        return None
    *_, o = _parts(gates, 4)
    return matmul(dys.T, o * namespace(cells).tanh(cells))


@kernel
def lstm_grad(dy, dh, dc, gates, cells, before, w_hh, w_hr, sizes, reverse):
    """(dgates (R, 4H), dh0 (N, P), dc0 (N, H), dw_hr (P, H) or None) of `lstm`, whose gates and cells are given.

    dy (R, P), dh (N, P), dc (N, H): the gradients of y, h and c. before (R, H): the c each step began with. w_hh's and
    the biases' gradients are sums over dgates.
    """
    xp = namespace(dy)
    dgates, dh, dc = xp.empty_like(gates), dh.copy(), dc.copy()
    dys = None if w_hr is None else xp.empty_like(dy)
    rows = steps(sizes, not reverse)
    lstm_grad_walk(dy, dh, dc, gates, cells, before, w_hh, w_hr, rows, dgates, dys)
    return dgates, dh, dc, projection_grad(dys, gates, cells, xp.matmul)


def gru_step(gates, products, h, inner, new):
    """gates (n, 3H) become their values, inner (n, H) the third of products, new (n, H) the state after h (n, H)."""
    xp, width = namespace(gates), h.shape[1]
    r, z, n = _parts(gates, 3)
    inner[...] = products[:, 2 * width :]
    both = gates[:, : 2 * width]
    both += products[:, : 2 * width]
    _sigmoid(both)
    n += r * inner
    xp.tanh(n, out=n)
    xp.subtract(h, n, out=new)
    new *= z
    new += n


def gru_walk(gates, h, w_hh, b_hh, rows, y, inner, step=gru_step):
    """Writes gates, h, y and inner."""
    xp = namespace(gates)
    products = xp.empty((len(h), gates.shape[1]), gates.dtype)
    for start, stop in rows:
        n = stop - start
        xp.matmul(h[:n], w_hh.T, out=products[:n])
        if b_hh is not None:
            products[:n] += b_hh
        step(gates[start:stop], products[:n], h[:n], inner[start:stop], y[start:stop])
        h[:n] = y[start:stop]


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
    gru_walk(gates, h, w_hh, b_hh, steps(sizes, reverse), y, inner)
    return y, h, gates, inner


def gru_step_grad(dout, gates, inner, before, dgates, dproducts):
    """dgates and dproducts (n, 3H) from dout (n, H), the gradient of h', which becomes its part dout z of that of h.

    dz = dout (h - n),  dn = dout (1 - z) times tanh's slope,  dr = dn inner.
    """
    xp, width = namespace(dout), before.shape[1]
    r, z, n = _parts(gates, 3)
    dr, dz, dn = _parts(dgates, 3)
    xp.multiply(dout, before - n, out=dz)
    xp.multiply(dout, 1 - z, out=dn)
    dn *= 1 - n * n
    xp.multiply(dn, inner, out=dr)
    both, values = dgates[:, : 2 * width], gates[:, : 2 * width]
    both *= values
    both *= 1 - values
    dproducts[:, : 2 * width] = both
    xp.multiply(dn, r, out=dproducts[:, 2 * width :])
    dout *= z


def gru_grad_walk(dy, dh, gates, inner, before, w_hh, rows, dgates, dproducts, step=gru_step_grad):
    """Writes dh, dgates and dproducts."""
    for start, stop in rows:
        at, dout = slice(start, stop), dh[: stop - start]
        dout += dy[at]
        step(dout, gates[at], inner[at], before[at], dgates[at], dproducts[at])
        dout += matmul(dproducts[at], w_hh)


@kernel
def gru_grad(dy, dh, gates, inner, before, w_hh, sizes, reverse):
    """(dgates (R, 3H), dproducts (R, 3H), dh0 (N, H)) of `gru`, whose gates and inner are given.

    dy (R, H), dh (N, H): the gradients of y and h. before (R, H): the state each step began with. dgates is that of
    the input's part, dproducts that of w_hh h + b_hh: they differ in the third gate.
    """
    xp = namespace(dy)
    dgates, dproducts, dh = xp.empty_like(gates), xp.empty_like(gates), dh.copy()
    rows = steps(sizes, not reverse)
    gru_grad_walk(dy, dh, gates, inner, before, w_hh, rows, dgates, dproducts)
    return dgates, dproducts, dh
