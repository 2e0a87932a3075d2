"""Convolutions with windows as large as the image, which are linear layers, against their references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch2_kernels as K
from minitorch2_kernels.cpu import whole_windows

SIZES = st.integers(1, 5)


@given(SIZES, SIZES, SIZES, st.tuples(SIZES, SIZES), st.sampled_from([1, 2]), st.sampled_from(["float32", "float64"]))
def test_whole_windows(n, channels, outputs, hw, stride, dtype):
    rng = np.random.default_rng(n)
    shapes = (n, channels, *hw), (outputs, channels, *hw), (n, outputs, 1, 1)
    x, w, g = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    settings = (stride, stride), (0, 0), (1, 1), 1
    asked = {
        "": ("conv2d", x, w, *settings),
        "_input_grad": ("conv2d_input_grad", g, w, hw, *settings),
        "_weight_grad": ("conv2d_weight_grad", g, x, hw, *settings),
    }
    for suffix, (name, *arguments) in asked.items():
        assert getattr(whole_windows, f"_supports{suffix}")(*arguments)
        ours, theirs = getattr(whole_windows, name)(*arguments), getattr(K, name).reference(*arguments)
        assert ours.dtype == theirs.dtype and ours.flags.c_contiguous
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=200 * np.finfo(dtype).eps)  # 125 products at most


@pytest.mark.parametrize(
    "x, w, settings",
    [
        ((2, 3, 4, 4), (5, 3, 4, 3), ((1, 1), (0, 0), (1, 1), 1)),  # two places
        ((2, 3, 4, 4), (5, 3, 4, 4), ((1, 1), (1, 1), (1, 1), 1)),  # padding: nine places
        ((2, 4, 4, 4), (4, 2, 4, 4), ((1, 1), (0, 0), (1, 1), 2)),  # groups
        ((0, 3, 4, 4), (5, 3, 4, 4), ((1, 1), (0, 0), (1, 1), 1)),  # nothing
    ],
)
def test_others_are_not_for_it(x, w, settings):
    x, w = np.zeros(x), np.zeros(w)
    assert not whole_windows._supports(x, w, *settings)
    g = np.zeros(K.conv2d.reference(x, w, *settings).shape)
    assert not whole_windows._supports_input_grad(g, w, x.shape[2:], *settings)
    assert not whole_windows._supports_weight_grad(g, x, w.shape[2:], *settings)
