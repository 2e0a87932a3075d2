"""Convolutions without im2col and without numba against the reference: on wider windows, paddings and dilations than
test_kernels.py draws, and on numbers that are not finite."""

import numpy as np
import pytest
from convolution_cases import close, convolutions
from hypothesis import given

import minitorch2_kernels as K
from minitorch2_kernels.cpu import conv, depthwise_shifts, pooling, shifted
from minitorch2_kernels.cpu.gemm import sgemm
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads

TINY = {"BLOCK": 3000, "MANY": 3, "FEWEST": 1, "WORTH_IT": 0, "DENSE": 0.0}
SHIPPED = {name: getattr(shifted, name) for name in TINY}
needs_gemm = pytest.mark.skipif(sgemm() is None, reason="NumPy's BLAS here is not OpenBLAS")


@pytest.fixture(autouse=True, scope="module")
def small_work():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_SMALL", 0)
        for name, value in TINY.items():
            patch.setattr(shifted, name, value)
        patch.setattr(depthwise_shifts, "BLOCK", 400)
        shifted._planned.cache_clear()
        yield
    shifted._planned.cache_clear()


@pytest.fixture(autouse=True)
def threads_as_found():
    before = get_num_threads()
    yield
    set_num_threads(before)


@needs_gemm
@given(convolutions(stride=1, groups=1, dtypes=("float32",)))
def test_shifted(drawn):
    x, w, g, settings = drawn
    hw, khw = x.shape[2:], w.shape[2:]
    if shifted._supports(x, w, *settings):
        close(shifted.conv2d(x, w, *settings), K.conv2d.reference(x, w, *settings))
        close(shifted.conv2d_weight_grad(g, x, khw, *settings), K.conv2d_weight_grad.reference(g, x, khw, *settings))
    if shifted._supports_input_grad(g, w, hw, *settings):
        close(shifted.conv2d_input_grad(g, w, hw, *settings), K.conv2d_input_grad.reference(g, w, hw, *settings))


@needs_gemm
def test_shifted_is_what_an_ordinary_layer_gets(monkeypatch):
    """With the constants as they are shipped; and float64, strides and groups are left to others."""
    for name, value in SHIPPED.items():
        monkeypatch.setattr(shifted, name, value)
    shifted._planned.cache_clear()
    rng = np.random.RandomState(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 16, 32, 32), (16, 16, 3, 3)))
    plain, g = ((1, 1), (1, 1), (1, 1), 1), x[:, :, ::-1]
    assert shifted._supports(x, w, *plain)
    assert shifted._supports_input_grad(g, w, (32, 32), *plain)
    assert shifted._supports_weight_grad(g, x, (3, 3), *plain)
    assert not shifted._supports(x.astype(np.float64), w.astype(np.float64), *plain)
    assert not shifted._supports(x, w, (2, 2), *plain[1:])
    assert not shifted._supports(x, w[:, :8], *plain[:3], 2)
    shifted._planned.cache_clear()


@needs_gemm
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_numbers_that_are_not_finite_reach_what_saw_them_and_nothing_else(value):
    rng = np.random.RandomState(0)
    x, w, g = (rng.standard_normal(s).astype(np.float32) for s in ((3, 4, 6, 6), (5, 4, 3, 3), (3, 5, 4, 4)))
    x[1, 2, 3, 0] = value
    settings = ((1, 1), (0, 0), (1, 1), 1)
    with np.errstate(invalid="ignore"):
        ours = shifted.conv2d(x, w, *settings), shifted.conv2d_weight_grad(g, x, (3, 3), *settings)
        theirs = K.conv2d.reference(x, w, *settings), K.conv2d_weight_grad.reference(g, x, (3, 3), *settings)
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(np.isfinite(a), np.isfinite(b))
        assert np.array_equal(a[~np.isfinite(a)], b[~np.isfinite(b)], equal_nan=True)


@given(convolutions(groups=5, depthwise=True))
def test_depthwise_shifts(drawn):
    x, w, _, settings = drawn
    close(depthwise_shifts.conv2d(x, w, *settings), K.conv2d.reference(x, w, *settings))


@pytest.mark.parametrize("way", [K.max_pool2d_put.reference, pooling.max_pool2d_put, K.max_pool2d_put])
def test_an_infinite_gradient_goes_to_the_winner_alone(way):
    """Not infinity times zero to the others."""
    g, winner = np.full((2, 1, 1, 1), np.inf, np.float32), np.full((2, 1, 1, 1), 2, np.uint8)
    dx = way(g, winner, (2, 2), (2, 2), (2, 2), (0, 0), (1, 1))
    assert dx.reshape(2, 4).tolist() == [[0, 0, np.inf, 0]] * 2
    assert not np.signbit(way(-g, winner, (2, 2), (2, 2), (2, 2), (0, 0), (1, 1)).reshape(2, 4)[:, 0]).any()


def test_large_arrays_with_the_real_block_sizes():
    """One convolution and one pooling of ordinary size."""
    set_num_threads(2)
    rng = np.random.RandomState(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((8, 16, 26, 26), (32, 16, 3, 3)))
    settings = ((1, 1), (1, 1), (1, 1), 1)
    y = conv.conv2d(x, w, *settings)
    close(y, K.conv2d.reference(x, w, *settings))
    pool = ((2, 2), (2, 2), (0, 0), (1, 1), (13, 13))
    assert y.nbytes > pooling.WORTH_SHARING
    for ours, theirs in zip(K.max_pool2d(y, *pool), K.max_pool2d.reference(y, *pool), strict=True):
        assert np.array_equal(ours, theirs)
