"""Our own sgemm against sums in float64, and what is made of it, around the sizes at which its loops change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums_close import close

import minitorch2_kernels as K
from minitorch2_kernels.cpu import jit
from minitorch2_kernels.cpu.gemm import PLAIN, ROW_MAJOR, TRANSPOSED
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads

pytestmark = pytest.mark.skipif(not jit.available, reason="numba is not installed")

ROWS = st.integers(1, 20)  # a tile has four, a square sixteen
COLUMNS = st.integers(1, 140) | st.sampled_from([192, 200])  # a panel has 64, the last one perhaps 32 or 16
DEPTHS = st.integers(1, 40) | st.sampled_from([127, 128, 129, 144, 255, 300])  # a panel has 128


def times(a, a_turned, b, b_turned, c, beta):
    """c = a b + beta c by our sgemm, for matrices with steps between their rows."""
    from minitorch2_kernels.cpu.panel_loops import sgemm

    function = sgemm.ctypes
    (m, n), k = c.shape, a.shape[0] if a_turned else a.shape[1]
    matrices = [(x.ctypes.data_as(function.argtypes[7]), x.strides[0] // 4) for x in (a, b, c)]
    forms = [TRANSPOSED if turned else PLAIN for turned in (a_turned, b_turned)]
    function(ROW_MAJOR, *forms, m, n, k, 1.0, *matrices[0], *matrices[1], beta, *matrices[2])


@given(ROWS, COLUMNS, DEPTHS, st.booleans(), st.booleans(), st.sampled_from([0.0, 1.0]), st.integers(0, 5))
def test_sgemm(m, n, k, a_turned, b_turned, beta, gap):
    rng = np.random.default_rng(m + 31 * n + 997 * k)

    def matrix(rows, columns):
        """Within a wider one of NaN, which nobody is to look at, or to write to."""
        wide = np.full((rows, columns + gap), np.nan, np.float32)
        wide[:, :columns] = rng.standard_normal((rows, columns))
        return wide, wide[:, :columns]

    (_, a), (_, b) = matrix(*(k, m) if a_turned else (m, k)), matrix(*(n, k) if b_turned else (k, n))
    around, c = matrix(m, n)
    exact = (a.T if a_turned else a).astype(np.float64) @ (b.T if b_turned else b) + beta * c
    if beta == 0:
        c[...] = np.nan  # what was there before does not count
    times(a, a_turned, b, b_turned, c, beta)
    close(c, exact, k + 2)
    assert np.isnan(around[:, n:]).all()


@pytest.mark.parametrize("a_turned", [False, True])
@pytest.mark.parametrize("b_turned", [False, True])
def test_sgemm_keeps_what_is_not_finite_where_it_belongs(a_turned, b_turned):
    rng = np.random.default_rng(0)
    a, b, c = rng.random((6, 130), np.float32), rng.random((130, 70), np.float32), np.empty((6, 70), np.float32)
    a[4, 129], b[3, 69] = np.inf, np.nan
    turned = [np.ascontiguousarray(x.T if turn else x) for x, turn in ((a, a_turned), (b, b_turned))]
    times(turned[0], a_turned, turned[1], b_turned, c, 0.0)
    where = np.zeros((6, 70), bool)
    where[4], where[:, 69] = True, True
    np.testing.assert_array_equal(~np.isfinite(c), where)


@pytest.fixture
def everywhere(monkeypatch):
    """Our sgemm for every product, and a weight's gradient summed up by every thread over its rows."""
    from minitorch2_kernels.cpu import compiled_attention, compiled_products, gemm, panel_loops

    before = get_num_threads()
    for module in (compiled_attention, compiled_products):
        monkeypatch.setattr(module, "WORTH_SHARING", 1)
        monkeypatch.setattr(module, "best_sgemm", lambda m, n, k: panel_loops.sgemm.address)
    monkeypatch.setattr(compiled_products, "WORTH_ADDING", 1)
    monkeypatch.setattr(compiled_products, "LONG", compiled_products.ROWS)
    monkeypatch.setattr(compiled_products, "FEW", 0)
    assert gemm.panels_address() in (0, panel_loops.sgemm.address)
    yield
    set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 3, 4, 9, 12, 30])
@pytest.mark.parametrize("inputs, outputs", [(5, 3), (64, 70), (130, 17)])
def test_linear_layers(everywhere, rows, inputs, outputs, threads):
    set_num_threads(threads)
    rng = np.random.default_rng(rows)
    shapes = (rows, inputs), (outputs, inputs), (outputs,), (rows, outputs)
    x, weight, bias, g = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    exact = [a.astype(np.float64) for a in (x, weight, bias, g)]
    close(K.linear(x, weight, bias), exact[0] @ exact[1].T + exact[2], inputs + 1)
    close(K.matmul(x, np.ascontiguousarray(weight.T)), exact[0] @ exact[1].T, inputs)
    close(K.matmul(g.T, x), exact[3].T @ exact[0], rows)
    for with_bias, have_x, have_weight in ((True, True, True), (False, True, False), (False, False, True)):
        found = K.linear_grad(g, x if have_x else None, weight if have_weight else None, with_bias)
        wanted = exact[3] @ exact[1], exact[3].T @ exact[0], exact[3].sum(0)
        for ours, theirs, there, terms in zip(
            found, wanted, (have_weight, have_x, with_bias), (outputs, rows, rows), strict=True
        ):
            assert (ours is not None) == there
            if there:
                assert ours.dtype == np.float32 and ours.base is None
                close(ours, theirs, terms + 1)


@pytest.mark.parametrize("layout", ["one projection", "rows", "expanded", "a single row", "a single number"])
@pytest.mark.parametrize("causal", [False, True])
def test_heads_lie_anywhere(everywhere, layout, causal):
    """Heads that are side by side in the rows of one projection, that follow each other, that are one and the same."""
    rng = np.random.default_rng(0)
    n, heads, length, width = 3, 2, 1 if layout == "a single row" else 33, 1 if layout == "a single number" else 18
    if layout == "one projection":
        whole = rng.standard_normal((n, length, 3 * heads * width)).astype(np.float32)
        q, k, v = (x.reshape(n, length, heads, width).transpose(0, 2, 1, 3) for x in np.split(whole, 3, axis=2))
    elif layout == "expanded":
        q, k, v = (rng.standard_normal((1, heads, length, width)).astype(np.float32) for _ in range(3))
        q, k, v = (np.broadcast_to(x, (n, heads, length, width)) for x in (q, k, v))
    else:
        q, k, v = (rng.standard_normal((n, heads, length, width)).astype(np.float32) for _ in range(3))
    g = rng.standard_normal(q.shape).astype(np.float32)
    exact = [a.astype(np.float64) for a in (q, k, v, g)]
    y, weights = K.attention(q, k, v, None, causal, 0.3, None, 1.0)
    expected = K.attention.reference(*exact[:3], None, causal, 0.3, None, 1.0)
    for ours, theirs in zip((y, weights), expected, strict=True):
        close(ours, theirs, length + width)
    found = K.attention_grad(g, q, k, v, weights, 0.3, None, 1.0, False)
    theirs = K.attention_grad.reference(exact[3], *exact[:3], expected[1], 0.3, None, 1.0, False)
    for ours, wanted in zip(found[:3], theirs[:3], strict=True):
        close(ours, wanted, 2 * (length + width))
