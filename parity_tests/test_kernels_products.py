"""Linear layers of few rows, compiled, against their reference: around the sizes at which the loops change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sums_close import close

import minitorch2_kernels as K
from minitorch2_kernels.cpu import jit
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads

pytestmark = pytest.mark.skipif(not jit.available, reason="numba is not installed")

ROWS = st.integers(1, 9)  # eight are few
WIDTHS = st.integers(1, 30) | st.sampled_from([47, 48, 49, 71, 72, 73, 100])  # a tile is 24 wide, and each part has one
OUTPUTS = st.integers(1, 14)


@pytest.fixture(autouse=True, scope="module")
def shared():
    """Every product is shared."""
    from minitorch2_kernels.cpu import compiled_products

    before = get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_products, "WORTH_SHARING", 1)
        yield compiled_products
    set_num_threads(before)


def drawn(rows, width, outputs, seed):
    rng = np.random.default_rng(seed)
    shapes = (rows, width), (outputs, width), (outputs,), (rows, outputs)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@given(ROWS, WIDTHS, OUTPUTS, st.integers(0, 9), st.booleans())
def test_linear(rows, width, outputs, seed, with_bias):
    x, weight, bias, _ = drawn(rows, width, outputs, seed)
    bias = bias if with_bias else None
    exact = x.astype(np.float64) @ weight.T.astype(np.float64) + (bias if with_bias else 0)
    found = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        found.append(K.linear(x, weight, bias))
        close(found[-1], exact, width + 1)
    if rows <= 8:  # more rows are BLAS's, which promises nothing of the kind
        assert all(np.array_equal(found[0], other) for other in found[1:])


@given(ROWS, WIDTHS, OUTPUTS, st.integers(0, 9), st.sampled_from(["both", "x", "weight", "bias"]))
def test_linear_grad(rows, width, outputs, seed, wanted):
    x, weight, _, g = drawn(rows, width, outputs, seed)
    with_bias = wanted in ("both", "bias")
    args = g, None if wanted == "x" else x, None if wanted == "weight" else weight, with_bias
    wide = [None if a is None else a.astype(np.float64) for a in args[:3]]
    exact = K.linear_grad.reference(*wide, with_bias)
    found = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        found.append(K.linear_grad(*args))
        for ours, theirs, terms in zip(found[-1], exact, (outputs, rows, rows), strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                assert ours.dtype == np.float32
                close(ours, theirs, terms + 1)
    if rows <= 8 and width >= 72:
        for other in found[1:]:
            assert all(a is b or np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_what_is_not_finite_stays_where_it_belongs(shared):
    x, weight, bias, g = drawn(3, 50, 7, 0)
    x[1, 4], g[2, 5] = np.inf, np.nan
    with np.errstate(all="ignore"):
        y, (dx, dw, db) = K.linear(x, weight, bias), K.linear_grad(g, x, weight, True)
        expected = K.linear.reference(x, weight, bias), *K.linear_grad.reference(g, x, weight, True)
    for ours, theirs in zip((y, dx, dw, db), expected, strict=True):
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
