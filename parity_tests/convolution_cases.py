"""Convolutions to draw, and how near two results of one are to be."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from minitorch2_kernels.cpu.pool import set_num_threads
from minitorch2_kernels.reference.conv import out_size


@st.composite
def convolutions(draw, stride=3, groups=3, depthwise=False, dtypes=("float32", "float64")):
    """(x, w, g, settings), with strides and groups up to these, on one to three threads."""
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    kernel, stride, padding, dilation, hw = pair(1, 5), pair(1, stride), pair(0, 4), pair(1, 3), pair(1, 12)
    out = tuple(out_size(hw[i], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    assume(min(out) > 0)
    groups, cg, og, n = number(1, groups), 1 if depthwise else number(1, 5), number(1, 6), number(1, 5)
    rng = np.random.RandomState(number(0, 2**16))
    dtype = draw(st.sampled_from(dtypes))
    shapes = (n, groups * cg, *hw), (groups * og, cg, *kernel), (n, groups * og, *out)
    x, w, g = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    if draw(st.booleans()):
        x, w, g = np.asfortranarray(x), w[::-1], g[:, :, ::-1]
    set_num_threads(number(1, 3))
    return x, w, g, (stride, padding, dilation, groups)


def close(ours, expected):
    assert ours.shape == expected.shape and ours.dtype == expected.dtype
    # the same products, added in another order
    bound = 64 * np.finfo(ours.dtype).eps * max(1.0, np.abs(expected).max())
    assert np.abs(ours - expected).max() <= bound
