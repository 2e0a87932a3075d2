"""Numbers drawn until one is accepted: by compiled loops, by Python and by torch, from one seed."""

import contextlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt
from minitorch2_kernels.cpu import rejection

dtypes = st.sampled_from(["float32", "float64"])
compiled = pytest.mark.skipif(not rejection.available, reason="numba is not installed")


def drawn(lib, seed, op, *parameters):
    """Three times, of the stream of this seed with a normal left over: what came, its bits, and what was left."""
    lib.manual_seed(seed)
    lib.randn(3)
    found = []
    for _ in range(3):
        with contextlib.suppress(RuntimeError):
            found.append(op(lib, *(p(lib) for p in parameters)).double().numpy().tobytes())
        found.append(lib.get_rng_state().tolist())
    return found


def assert_three_agree(seed, op, *parameters):
    by_loops = drawn(mt, seed, op, *parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rejection, "available", False)
        assert drawn(mt, seed, op, *parameters) == by_loops
    assert drawn(torch, seed, op, *parameters) == by_loops


def numbers(values, dtype):
    return lambda lib: lib.tensor(values, dtype=getattr(lib, dtype))


@compiled
@given(st.integers(0, 2**32), st.lists(st.floats(0, 60), min_size=1, max_size=40), dtypes)
def test_poisson(seed, rates, dtype):
    assert_three_agree(seed, lambda lib, rate: lib.poisson(rate), numbers(rates, dtype))


@compiled
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1)), min_size=1, max_size=40),
    dtypes,
)
def test_binomial(seed, trials, dtype):
    counts, probs = (numbers([float(t[i]) for t in trials], dtype) for i in (0, 1))
    assert_three_agree(seed, lambda lib, count, prob: lib.binomial(count, prob), counts, probs)


@compiled
@given(st.integers(0, 2**32), st.lists(st.floats(2.0**-10, 300, width=32), min_size=1, max_size=40), dtypes)
def test_gamma(seed, concentrations, dtype):
    assert_three_agree(seed, lambda lib, c: lib._standard_gamma(c), numbers(concentrations, dtype))


@compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_ends(dtype):
    """Nothing is drawn, a rate is refused after some were drawn, and a concentration that has no gamma numbers."""
    nan = float("nan")
    for rates in ([], [0.0], [3.0, -1.0], [3.0, 30.0, nan]):
        assert_three_agree(0, lambda lib, rate: lib.poisson(rate), numbers(rates, dtype))
    counts, probs = [0.0, 5.0, 5.0, 5.0, 5.0], [0.5, 0.0, 1.0, 0.25, nan]
    assert_three_agree(0, lambda lib, n, p: lib.binomial(n, p), numbers(counts, dtype), numbers(probs, dtype))
    assert_three_agree(0, lambda lib, c: lib._standard_gamma(c), numbers([0.0, nan, -0.5, -2.0], dtype))


@pytest.mark.parametrize("loops", [True, False])
def test_a_count_that_is_not_a_number(monkeypatch, loops):
    """The result is none either; torch waits for ever."""
    monkeypatch.setattr(rejection, "available", loops and rejection.available)
    assert mt.binomial(mt.full((2,), float("nan")), mt.tensor([0.5, 0.7])).isnan().all()


@compiled
def test_a_stream_that_nothing_was_drawn_from():
    for rate in (0.0, 1.0):
        for lib in (mt, torch):
            lib.manual_seed(0)
            lib.poisson(lib.tensor([rate]))
        assert mt.get_rng_state().tolist() == torch.get_rng_state().tolist()
