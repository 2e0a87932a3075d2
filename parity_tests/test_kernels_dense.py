"""The compiled convolutions and the compiled optimizer updates against their references."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from convolution_cases import close, convolutions
from hypothesis import given
from hypothesis import strategies as st

import minitorch2_kernels as K
from minitorch2_kernels.cpu import blas, conv, jit, pool
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads
from minitorch2_kernels.reference import optim

pytestmark = pytest.mark.skipif(not jit.available, reason="numba is not installed")


@pytest.fixture(autouse=True, scope="module", params=["by shifts", "by panels, few images", "by panels, many images"])
def dense(request):
    """Convolutions by tiles of shifted rows, or laid out in panels, of blocks of as few images as fill a panel or of as
    many as there are; a function that finds them by name."""
    from minitorch2_kernels.cpu import compiled_dense, compiled_optim, compiled_places

    module = compiled_dense if request.param == "by shifts" else compiled_places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_SMALL", 0)
        patch.setattr(compiled_optim, "WORTH_SHARING", 100)
        patch.setattr(module, "_WORTH_SHARING", 1)
        patch.setattr(compiled_dense, "_LONG", 60)  # several images in a row, and several rows
        patch.setattr(compiled_places, "_MANY", 1)
        patch.setattr(compiled_places, "_ENOUGH", 1)
        patch.setattr(compiled_places, "_LARGE", 0 if "few" in request.param else 1 << 30)  # by lines, or by outputs
        patch.setattr(compiled_places, "_SUMS", 100)
        patch.setattr(compiled_places, "_NUMBERS", 0 if "few" in request.param else 1 << 30)
        module.plans.made.cache_clear()
        yield lambda name: getattr(module, name)
    module.plans.made.cache_clear()


@pytest.fixture(autouse=True)
def threads_as_found():
    before = get_num_threads()
    yield
    set_num_threads(before)


def results(way, x, w, g, settings):
    return (
        way("conv2d")(x, w, *settings),
        way("conv2d_input_grad")(g, w, x.shape[2:], *settings),
        way("conv2d_weight_grad")(g, x, w.shape[2:], *settings),
    )


def reference(name):
    return getattr(K, name).reference


@pytest.mark.parametrize("dilation, hw", [(12, (7, 7)), (5, (3, 9)), (4, (2, 5))])
def test_taps_farther_apart_than_the_image_is_high(dense, dilation, hw):
    """What such a tap sees of an image lies beyond the next one's first row, where images lie side by side."""
    rng = np.random.RandomState(0)
    x, w, g = (rng.standard_normal(s).astype("f") for s in ((5, 2, *hw), (3, 2, 3, 3), (5, 3, *hw)))
    settings = ((1, 1), (dilation, dilation), (dilation, dilation), 1)
    set_num_threads(1)
    for ours, theirs in zip(results(dense, x, w, g, settings), results(reference, x, w, g, settings), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4  # sums of some hundred products at most


@pytest.mark.parametrize("stride, groups", [((1, 1), 1), ((2, 3), 1), ((1, 1), 2), ((2, 2), 2)])
def test_more_taps_and_places_than_are_laid_out_at_once(dense, stride, groups):
    rng = np.random.RandomState(0)
    x, w = rng.standard_normal((3, 64 * groups, 27, 24)), rng.standard_normal((5 * groups, 64, 3, 3))
    settings = stride, (1, 1), (1, 1), groups
    g = rng.standard_normal(K.conv2d.reference(x, w, *settings).shape)
    exact = results(reference, x, w, g, settings)
    for threads in (1, 2):
        set_num_threads(threads)
        for ours, theirs in zip(results(dense, *(a.astype("f") for a in (x, w, g)), settings), exact, strict=True):
            assert np.abs(ours - theirs).max() <= 2e-3  # sums of up to 1,944 products of normal numbers


@given(convolutions())
def test_convolutions(dense, drawn):
    for ours, expected in zip(results(dense, *drawn), results(reference, *drawn), strict=True):
        close(ours, expected)


@given(convolutions(), st.data())
def test_infinities_go_no_further_than_a_window_sees(dense, drawn, data):
    """Rows share the zeros around them, and sums between them are dropped: neither may be noticed."""
    x, w, g, settings = drawn
    x, w, g = x.copy(), w.copy(), g.copy()
    for array in (x, w, g):
        places = data.draw(st.lists(st.integers(0, array.size - 1), max_size=1))
        array.reshape(-1)[places] = data.draw(st.sampled_from([np.inf, -np.inf, np.nan]))
    asked = {
        "": ("conv2d", x, w),
        "_input_grad": ("conv2d_input_grad", g, w, x.shape[2:]),
        "_weight_grad": ("conv2d_weight_grad", g, x, w.shape[2:]),
    }
    for suffix, (name, *arguments) in asked.items():
        if not dense(f"supports{suffix}")(*arguments, *settings):
            continue  # what it could not do right it leaves to others
        with np.errstate(all="ignore"):
            got, want = (way(name)(*arguments, *settings) for way in (dense, reference))
        # The reference multiplies the padding, too, so that it has a NaN where an infinite number meets that.
        known = ~np.isnan(want)
        np.testing.assert_allclose(got[known], want[known], rtol=1e-4, atol=1e-4)


def test_the_same_bits_from_run_to_run(dense):
    rng = np.random.RandomState(0)
    x, w = rng.standard_normal((5, 3, 9, 9)).astype("f"), rng.standard_normal((6, 3, 3, 3)).astype("f")
    settings, g = ((1, 1), (1, 1), (1, 1), 1), rng.standard_normal((5, 6, 9, 9)).astype("f")
    for threads in (1, 2, 3):
        set_num_threads(threads)
        first, second = (results(dense, x, w, g, settings) for _ in range(2))
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def arrays(dtype, count, rng):
    """A parameter, a gradient with an infinity and a NaN, and non-negative state."""
    made = [rng.standard_normal(333).astype(dtype) for _ in range(count)]
    made[1][:3] = [np.inf, np.nan, 0]
    return made[:3] + [np.abs(a) for a in made[3:]]


def assert_same_bits(update, state):
    """The compiled update and the reference's, on copies of the same arrays."""
    twin = [None if a is None else a.copy() for a in state]
    for threads in (1, 3):
        set_num_threads(threads)
        ours = [None if a is None else a.copy() for a in state]
        update(ours)
        with K.use_reference(), np.errstate(all="ignore"):
            if threads == 1:
                update(twin)
        for a, b in zip(ours, twin, strict=True):
            assert a is None or np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_adam(dtype):
    rng = np.random.RandomState(0)
    flags = itertools.product((0, 0.1), (False, True), (False, True), (False, True), (0.9, 0.3))
    for weight_decay, decoupled, maximize, amsgrad, beta1 in flags:
        state = arrays(dtype, 5, rng)
        state[4] = state[4] if amsgrad else None
        settings = 3.0, 1e-2, beta1, 0.999, 1e-8, weight_decay, decoupled, maximize
        assert_same_bits(lambda s, settings=settings: optim.adam(*s, *settings), state)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_sgd(dtype):
    rng = np.random.RandomState(0)
    flags = itertools.product((0, 0.1), (0, 0.9), (0, 0.5), (False, True), (False, True), (False, True))
    for weight_decay, momentum, dampening, nesterov, maximize, first in flags:
        state = arrays(dtype, 3, rng)
        state[2] = state[2] if momentum else None
        settings = 0.1, momentum, dampening, weight_decay, bool(nesterov and momentum), maximize, first
        assert_same_bits(lambda s, settings=settings: optim.sgd(*s, *settings), state)


@pytest.mark.skipif(not blas.controllable, reason="NumPy's BLAS here has no thread count to set")
def test_one_thread_is_one_for_blas_too():
    threads, seen = pool.get_num_threads(), []
    pool.set_num_threads(1)
    try:
        pool.share(lambda start, stop: seen.append((blas.get_threads(), stop - start)), 8)
    finally:
        pool.set_num_threads(threads)
    assert seen == [(1, 8)]


def test_other_arrays_go_another_way():
    """Strided parameters and mixed dtypes are not what the compiled loops were made for."""
    wide = np.ones((4, 6), "f")
    param, grad = wide[:, ::2], np.ones((4, 3), "f")
    optim.sgd(param, grad, None, 0.5, 0, 0, 0, False, False, True)
    assert (wide[:, ::2] == 0.5).all() and (wide[:, 1::2] == 1).all()
    param, grad = np.ones(3, "d"), np.ones(3, "f")
    optim.sgd(param, grad, None, 0.5, 0, 0, 0, False, False, True)
    assert param.tolist() == [0.5] * 3


def test_compiling_for_long_is_said_and_kept(tmp_path):
    """In a process of its own, with an empty cache and the shortest of patience; the next one finds the cache."""
    program = (
        "import numpy as np, minitorch2_kernels as K; from minitorch2_kernels.cpu import jit; jit.NOTICE_AFTER = 0;"
        "K.max_pool2d(np.ones((1, 1, 4, 4), 'f'), (2, 2), (2, 2), (0, 0), (1, 1), (2, 2))"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    for expected in ("minitorch2: compiled pooling_loops in", ""):
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr.startswith(expected) and bool(done.stderr) == bool(expected), done
    done = subprocess.run(
        [sys.executable, "-c", program.replace("jit.NOTICE", "assert not jit.available; jit.NOTICE")],
        env=environment | {"MINITORCH2_COMPILED": "0"},
    )
    assert done.returncode == 0
