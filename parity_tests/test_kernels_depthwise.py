"""Depthwise, pointwise and strided convolutions: every way to compute them against the reference, on wider windows,
strides and dilations than test_kernels.py draws, and on infinities."""

import numpy as np
import pytest
from convolution_cases import close
from hypothesis import assume, given
from hypothesis import strategies as st

import minitorch2_kernels as K
from minitorch2_kernels.cpu import compiled_dense, conv, depthwise, jit, planes, pointwise
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads
from minitorch2_kernels.reference.conv import out_size, pad_hw

WAYS = [pytest.param(depthwise, id="matrices")]
if jit.available:
    WAYS.append(pytest.param(compiled_dense, id="compiled"))


@pytest.fixture(autouse=True, scope="module")
def tiny_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_SMALL", 0)
        patch.setattr(compiled_dense, "_WORTH_SHARING", 1)
        patch.setattr(conv, "BLOCK_BYTES", 1024)
        patch.setattr(depthwise, "BLOCK_BYTES", 1024)
        patch.setattr(pointwise, "BLOCK_BYTES", 512)
        patch.setattr(pointwise, "WIDE", 20)
        patch.setattr(pointwise, "DEEP", 30)
        yield


@pytest.fixture(autouse=True)
def threads_as_found():
    before = get_num_threads()
    yield
    set_num_threads(before)


def draw(data, *, depthwise=True, largest=5):
    """(x, w, g, settings) of a convolution"""
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    kernel, stride, padding, dilation = pair(1, largest), pair(1, 4), pair(0, 4), pair(1, 4)
    hw = pair(1, 13)
    out = tuple(out_size(hw[i], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    assume(min(out) > 0)
    groups = number(2, 5) if depthwise else number(1, 2)
    per_group = 1 if depthwise else number(1, 3)
    n, c, o = number(1, 4), groups * per_group, groups * number(1, 3)
    rng = np.random.RandomState(number(0, 2**16))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    x, w, g = (rng.standard_normal(s).astype(dtype) for s in ((n, c, *hw), (o, per_group, *kernel), (n, o, *out)))
    if data.draw(st.booleans()):
        x, g = np.asfortranarray(x), g[:, :, ::-1]
    set_num_threads(number(1, 3))
    return x, w, g, (stride, padding, dilation, groups)


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_depthwise(way, data):
    x, w, g, settings = draw(data)
    close(way.conv2d(x, w, *settings), K.conv2d.reference(x, w, *settings))
    hw, khw = x.shape[2:], w.shape[2:]
    close(way.conv2d_input_grad(g, w, hw, *settings), K.conv2d_input_grad.reference(g, w, hw, *settings))
    close(way.conv2d_weight_grad(g, x, khw, *settings), K.conv2d_weight_grad.reference(g, x, khw, *settings))


@given(data=st.data())
def test_strided_input_gradient_phase_by_phase(data):
    x, w, g, settings = draw(data, depthwise=data.draw(st.booleans()))
    ours = conv._phase_by_phase(g, w, x.shape[2:], *settings)
    close(ours, K.conv2d_input_grad.reference(g, w, x.shape[2:], *settings))


@given(data=st.data())
def test_pointwise(data):
    n, c, o, h, w = (data.draw(st.integers(1, 6)) for _ in range(5))
    rng = np.random.RandomState(data.draw(st.integers(0, 2**16)))
    x, weight, g = (rng.standard_normal(s).astype("f") for s in ((n, c, h, w), (o, c, 1, 1), (n, o, h, w)))
    set_num_threads(data.draw(st.integers(1, 3)))
    settings = ((1, 1), (0, 0), (1, 1), 1)
    close(pointwise.conv2d(x, weight, *settings), K.conv2d.reference(x, weight, *settings))
    dx = pointwise.conv2d_input_grad(g, weight, (h, w), *settings)
    close(dx, K.conv2d_input_grad.reference(g, weight, (h, w), *settings))
    dw = pointwise.conv2d_weight_grad(g, x, (1, 1), *settings)
    close(dw, K.conv2d_weight_grad.reference(g, x, (1, 1), *settings))


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_infinities_go_no_further_than_a_window_sees(way, data):
    """The matrices' zeros, and the numbers between the rows of a layout, meet infinite pixels unnoticed."""
    x, w, g, settings = draw(data, largest=3)
    x, g = x.copy(), g.copy()
    for array in (x, g):
        places = data.draw(st.lists(st.integers(0, array.size - 1), max_size=2))
        array.reshape(-1)[places] = data.draw(st.sampled_from([np.inf, -np.inf, np.nan]))
    hw, khw = x.shape[2:], w.shape[2:]
    with np.errstate(all="ignore"):
        for ours, expected in (
            (way.conv2d(x, w, *settings), K.conv2d.reference(x, w, *settings)),
            (way.conv2d_input_grad(g, w, hw, *settings), K.conv2d_input_grad.reference(g, w, hw, *settings)),
            (way.conv2d_weight_grad(g, x, khw, *settings), K.conv2d_weight_grad.reference(g, x, khw, *settings)),
        ):
            # The reference multiplies the padding, too, so that it has a NaN where an infinite g meets that.
            known = ~np.isnan(expected)
            np.testing.assert_allclose(ours[known], expected[known], rtol=1e-4, atol=1e-4)


@given(data=st.data())
def test_in_a_layout_a_tap_is_a_shift(data):
    """planes.py's formula, number by number."""
    x, w, g, (stride, padding, dilation, _) = draw(data)
    hw, khw, out = x.shape[2:], w.shape[2:], g.shape[2:]
    place = planes.layout(hw, khw, stride, padding, dilation, out)
    image = np.arange(1.0, 1 + hw[0] * hw[1]).reshape(hw)
    row = np.zeros(place.size)
    for part, phase in zip(row.reshape(-1, place.height, place.width), place.phases, strict=True):
        part[phase.to_rows, phase.to_columns] = image[phase.rows, phase.columns]
    padded = pad_hw(image[None, None], *padding)[0, 0]
    for i in range(out[0]):
        for j in range(out[1]):
            for k in range(khw[0]):
                for m in range(khw[1]):
                    seen = padded[i * stride[0] + k * dilation[0], j * stride[1] + m * dilation[1]]
                    assert row[place.offsets[k * khw[1] + m] + i * place.width + j] == seen


LARGE, SMALL, DENSE = ("compiled_dense",) * 3 if jit.available else ("conv", "depthwise", "conv")


@pytest.mark.parametrize(
    ("channels", "groups", "kernel", "pixels", "expected"),
    [(8, 8, 3, 24, LARGE), (8, 8, 3, 5, SMALL), (8, 8, 5, 3, SMALL), (8, 1, 1, 6, "pointwise"), (8, 2, 3, 6, DENSE)],
)
def test_which_kernel_is_chosen(channels, groups, kernel, pixels, expected):
    x = np.zeros((32, channels, pixels, pixels), np.float32)
    w = np.zeros((channels, channels // groups, kernel, kernel), np.float32)
    settings = ((1, 1), (kernel // 2, kernel // 2), (1, 1), groups)
    for function, args in (
        (K.conv2d, (x, w, *settings)),
        (K.conv2d_input_grad, (x, w, x.shape[2:], *settings)),
        (K.conv2d_weight_grad, (x, x, w.shape[2:], *settings)),
    ):
        taken = next(override for supports, override in reversed(function.overrides) if supports(*args))
        assert taken.__module__ == f"minitorch2_kernels.cpu.{expected}"
