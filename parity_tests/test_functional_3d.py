"""Convolution and pooling in 3-d: values, indices, two derivatives, errors as torch's."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, floats
from hypothesis import assume, given
from hypothesis import strategies as st

CONV = 512  # sums over a window and all channels, whose terms cancel
SMALL = st.integers(1, 3)
STRIDES = st.sampled_from([1, 2, (2, 1, 3), (1, 2, 1)])
DILATIONS = st.sampled_from([1, 1, 2, (2, 1, 1)])


def triples(strategy):
    return st.tuples(strategy, strategy, strategy)


def volumes(low, high, *leads):
    """(N, C, D, H, W) or (C, D, H, W), each of the last three between low and high."""
    sizes = st.tuples(st.sampled_from(leads), triples(st.integers(low, high)))
    return floats(sizes.map(lambda s: s[0] + s[1]))


@st.composite
def windows(draw):
    """kernel_size, stride, padding: numbers or one per dim; padding at most half the kernel."""
    kernel = draw(triples(SMALL))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return kernel, draw(st.sampled_from([None, 1, 2, (1, 3, 2)])), padding


@given(
    x=volumes(5, 6, (2, 4), (4,)),
    data=st.data(),
    groups=st.sampled_from([1, 2]),
    biased=st.booleans(),
    padding=st.sampled_from(["same", "valid", 0, 2, (1, 0, 3)]),
    stride=STRIDES,
    dilation=DILATIONS,
)
def test_conv(x, data, groups, biased, padding, stride, dilation):
    stride = 1 if padding == "same" else stride
    w, b = data.draw(floats(triples(SMALL).map(lambda k: (4, 4 // groups, *k)))), data.draw(floats((4,)))

    def action(_, F, x, w, b):
        return F.conv3d(x, w, b if biased else None, stride, padding, dilation, groups)

    check(action, x, w, b, ulps=CONV)
    check(action, *(a.astype(np.float32) for a in (x, w, b)), order=0, ulps=CONV)


@given(
    x=volumes(2, 3, (2, 4), (4,)),
    data=st.data(),
    groups=st.sampled_from([1, 2]),
    biased=st.booleans(),
    padding=st.sampled_from([0, 1, (1, 0, 0)]),
    stride=STRIDES,
    dilation=DILATIONS,
    extra=st.sampled_from([0, 0, 1, (0, 0, 1), (1, 0, 0)]),
)
def test_conv_transpose(x, data, groups, biased, padding, stride, dilation, extra):
    kernel = data.draw(triples(SMALL))
    assume((np.add(extra, np.zeros(3)) < np.maximum(stride, dilation)).all())
    sizes = np.multiply(np.subtract(x.shape[-3:], 1), stride) + np.multiply(dilation, np.subtract(kernel, 1)) + 1
    assume((sizes + extra > 2 * np.array(padding)).all())
    w, b = data.draw(floats((4, 2, *kernel))), data.draw(floats((2 * groups,)))

    def action(_, F, x, w, b):
        return F.conv_transpose3d(x, w, b if biased else None, stride, padding, extra, groups, dilation)

    check(action, x, w, b, ulps=CONV)
    check(action, *(a.astype(np.float32) for a in (x, w, b)), order=0, ulps=CONV)


def test_convs_in_the_namespace_of_torch():
    draw = np.random.default_rng(0).normal
    x, w, t = draw(size=(2, 3, 4, 3, 2)), draw(size=(2, 3, 2, 1, 2)), draw(size=(3, 2, 2, 1, 2))
    check(lambda lib, _, x, w: lib.conv3d(x, w, stride=2, padding=1), x, w)
    check(lambda lib, _, x, w: lib.conv_transpose3d(input=x, weight=w, stride=2, output_padding=1), x, t)
    check(lambda lib, _, x: lib.max_pool3d(x, 2), x)


def test_convs_of_nothing():
    w = np.ones((2, 3, 2, 2, 2))
    check(lambda _, F, x, w: F.conv3d(x, w), np.ones((0, 3, 3, 3, 3)), w)
    check(lambda _, F, x, w: F.conv_transpose3d(x, w), np.ones((0, 2, 3, 3, 3)), w)


@given(x=volumes(5, 6, (2, 2), (2,)), window=windows(), dilation=DILATIONS, ceil=st.booleans())
def test_max_pool(x, window, dilation, ceil):
    check(lambda _, F, x: F.max_pool3d(x, *window, dilation, ceil), x)
    check(lambda _, F, x: F.max_pool3d(x, *window, dilation, ceil, return_indices=True), x, order=1)
    check(lambda _, F, x: F.max_pool3d_with_indices(x, *window, dilation, ceil), x.astype(np.float32), order=0)


@given(
    x=volumes(4, 6, (2, 2), (2,)),
    window=windows(),
    ceil=st.booleans(),
    count=st.booleans(),
    divisor=st.sampled_from([None, None, 3, -2]),
)
def test_avg_pool(x, window, ceil, count, divisor):
    check(lambda _, F, x: F.avg_pool3d(x, *window, ceil, count, divisor), x)
    check(lambda _, F, x: F.avg_pool3d(x, *window, ceil, count, divisor), x.astype(np.float32), order=0)


@given(x=volumes(3, 6, (2, 2), (2,)), out=st.one_of(SMALL, triples(st.sampled_from([None, 1, 2, 3, 7]))))
def test_adaptive_pools(x, out):
    check(lambda _, F, x: F.adaptive_avg_pool3d(x, out), x)
    check(lambda _, F, x: F.adaptive_max_pool3d(x, out), x)
    check(lambda _, F, x: F.adaptive_max_pool3d(x, out, return_indices=True), x, order=0)
    check(lambda _, F, x: F.adaptive_max_pool3d_with_indices(x, out), x.astype(np.float32), order=0)


@given(x=volumes(4, 5, (2, 2), (2,)), kernel=st.sampled_from([2, (1, 2, 3)]))
def test_max_unpool(x, kernel):
    def action(_, F, x):
        y, indices = F.max_pool3d(x, kernel, return_indices=True)
        return F.max_unpool3d(y, indices, kernel, output_size=x.shape[-3:])

    check(action, x)


@given(
    x=volumes(3, 5, (2, 2), (2,)),
    p=st.sampled_from([1, 2, 3.0, np.inf, -np.inf]),
    stride=st.sampled_from([None, 1, (1, 2, 1)]),
    ceil=st.booleans(),
)
def test_lp_pool(x, p, stride, ceil):
    x = abs(x) + 0.1  # the root of a negative sum is NaN
    check(lambda _, F, x: F.lp_pool3d(x, p, (2, 1, 3), stride, ceil), x, ulps=CONV)


def test_pools_of_ties_infinities_and_nan():
    rng = np.random.default_rng(0)
    ties = rng.integers(0, 2, (2, 2, 4, 5, 4)).astype(float)
    ties[:, :, :2] -= np.inf  # windows of nothing else
    one = rng.normal(size=(1, 4, 4, 4))
    one[0, 1, 2, 3] = np.nan  # of several in a window, torch takes the last and this library the first
    for x in (ties, one):
        check(lambda _, F, x: F.max_pool3d(x, 2, return_indices=True), x, order=0)
        check(lambda _, F, x: F.max_pool3d(x, 3, 1, 1, return_indices=True), x, order=0)
        check(lambda _, F, x: F.adaptive_max_pool3d(x, 3, return_indices=True), x, order=0)
    check(lambda _, F, x: F.max_pool3d(x, 3, 1, 1), np.nan_to_num(ties), order=1)
    check(lambda _, F, x: F.adaptive_max_pool3d(x, 3), np.nan_to_num(ties), order=1)


def test_pools_of_integers_and_of_nothing():
    for dtype in ("int64", "int32", "uint8", "int8", "int16"):
        x = np.arange(64).reshape(1, 4, 4, 4).astype(dtype)
        check(lambda _, F, x: F.max_pool3d(x, 3, 2, 1, return_indices=True), x)
    for name in ("max_pool3d", "avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d"):
        for size in (2, 3):
            check(lambda _, F, x, n=name, s=size: getattr(F, n)(x, s), np.ones((0, 2, 4, 4, 4)))
    for name in ("adaptive_avg_pool3d", "adaptive_max_pool3d"):
        check(lambda _, F, x, n=name: getattr(F, n)(x, (2, 0, 1)), np.ones((2, 2, 4, 4, 4)), order=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    rng = np.random.default_rng(0)
    x, w, t = (rng.normal(size=s).astype(np.float32) for s in ((2, 3, 4, 5, 6), (4, 3, 2, 3, 2), (3, 4, 2, 3, 2)))

    def rounded_once(lib, function, *tensors):
        """The function of these tensors in half precision. torch has not all of them for the CPU: there in float32."""
        low = [a.to(getattr(lib, dtype)) for a in tensors]
        y = function(lib.nn.functional, *([a.float() for a in low] if lib is torch else low))
        return y.to(getattr(lib, dtype)) if lib is torch else y

    for function in (
        lambda F, x: F.max_pool3d(x, 3, 2, 1),
        lambda F, x: F.avg_pool3d(x, 3, 2, 1),
        lambda F, x: F.avg_pool3d(x, 3, 2, 1, True, False),
        lambda F, x: F.adaptive_avg_pool3d(x, 3),
        lambda F, x: F.adaptive_avg_pool3d(x, (2, 5, 3)),
        lambda F, x: F.adaptive_max_pool3d(x, 3),
        lambda F, x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2, output_size=(4, 5, 6)),
    ):
        check(lambda lib, F, x, f=function: rounded_once(lib, f, x), x, order=0, ulps=1)
    for function, weight in (
        (lambda F, x, w: F.conv3d(x, w, padding=1), w),
        (lambda F, x, w: F.conv_transpose3d(x, w, stride=(1, 2, 2)), t),
    ):
        check(lambda lib, F, *a, f=function: rounded_once(lib, f, *a), x, weight, order=0, ulps=1)


def test_interpolate_by_area():
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5, 6))
    for size in (3, (2, 5, 7)):
        check(lambda _, F, x, s=size: F.interpolate(x, s, mode="area"), x)
    check(lambda _, F, x: F.interpolate(x, scale_factor=0.5, mode="area"), x)


X = np.random.default_rng(0).normal(size=(2, 3, 5, 6, 4))
W, V = np.random.default_rng(1).normal(size=(4, 3, 2, 2, 2)), np.random.default_rng(2).normal(size=(3, 2, 2, 2, 2))
POOLS = [(3, None, 2), (9,), (2, 0), (2, -1), (0,), ((2, 2),), (2, (1, 1)), (2, 1, (1, 1)), (2, None, -1)]
ADAPTIVE = [(2, 2), (2, 2, -1), -1, (1, 2, 3, 4)]
ERRORS = [
    *(lambda _, F, x, w, v, a=a: F.max_pool3d(x, *a) for a in (*POOLS, (2, 1, 1, 0), (2, 1, 1, (1, 1)))),
    *(lambda _, F, x, w, v, a=a: F.avg_pool3d(x, *a) for a in (*POOLS, (2, None, 0, False, True, 0))),
    lambda _, F, x, w, v: F.max_pool3d(x > 0, 2),
    *(
        lambda _, F, x, w, v, n=name, i=index: getattr(F, n)(x[i], 2)
        for name in ("max_pool3d", "avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d")
        for index in ((0, 0), None, (slice(None), slice(0)), (slice(None), slice(None), slice(0)))
    ),
    *(lambda _, F, x, w, v, o=o: F.adaptive_avg_pool3d(x, o) for o in ADAPTIVE),
    *(lambda _, F, x, w, v, o=o: F.adaptive_max_pool3d(x, o) for o in ADAPTIVE),
    *(lambda _, F, x, w, v, o=o: F.adaptive_avg_pool3d(x.long(), o) for o in (1, 2)),
    lambda _, F, x, w, v: F.adaptive_max_pool3d(x.long(), 2),
    lambda _, F, x, w, v: F.max_unpool3d(x, x, 2),
    lambda _, F, x, w, v: F.max_unpool3d(x, x.long()[:1], 2),
    lambda _, F, x, w, v: F.max_unpool3d(x[0, 0], x[0, 0].long(), 2),
    lambda _, F, x, w, v: F.max_unpool3d(x[:, :0], x[:, :0].long(), 2),
    lambda _, F, x, w, v: F.max_unpool3d(x.long(), x.long() * 0, 2),
    lambda _, F, x, w, v: F.max_unpool3d(x, x.long() * 0, (2, 2)),
    lambda _, F, x, w, v: F.max_unpool3d(x, x.long() * 0, 2, 0),
    *(lambda _, F, x, w, v, o=o: F.max_unpool3d(x, x.long() * 0, 2, output_size=o) for o in ((1, 1, 1), (10, 12))),
    lambda _, F, x, w, v: F.lp_pool3d(x, 2, 9),
    lambda _, F, x, w, v: F.conv3d(x, w.float()),
    lambda _, F, x, w, v: F.conv3d(x, w[:, :2]),
    lambda _, F, x, w, v: F.conv3d(x, w[0]),
    lambda _, F, x, w, v: F.conv3d(x, w.repeat(1, 1, 5, 1, 1)),
    lambda _, F, x, w, v: F.conv3d(x[0, 0], w),
    lambda _, F, x, w, v: F.conv3d(x[None], w),
    lambda t, F, x, w, v: F.conv3d(x, w, t.ones(3).double()),
    lambda t, F, x, w, v: F.conv3d(x, w, t.ones(4)),
    lambda _, F, x, w, v: F.conv3d([1], w),
    *(
        lambda _, F, x, w, v, k=k: F.conv3d(x, w, **k)
        for k in (
            {"stride": 0},
            {"stride": (1, 1)},
            {"padding": -1},
            {"padding": (1, 1)},
            {"padding": "half"},
            {"padding": "same", "stride": 2},
            {"dilation": 0},
            {"groups": 2},
            {"groups": 0},
        )
    ),
    lambda _, F, x, w, v: F.conv_transpose3d(x, w),
    lambda _, F, x, w, v: F.conv_transpose3d(x, v.float()),
    lambda _, F, x, w, v: F.conv_transpose3d(x, v[0]),
    lambda _, F, x, w, v: F.conv_transpose3d(x[0, 0], v),
    lambda t, F, x, w, v: F.conv_transpose3d(x, v, t.ones(3).double()),
    lambda t, F, x, w, v: F.conv_transpose3d(x, v, t.ones(2)),
    *(
        lambda _, F, x, w, v, k=k: F.conv_transpose3d(x, v, **k)
        for k in (
            {"stride": 0},
            {"padding": -1},
            {"padding": 9},
            {"dilation": 0},
            {"groups": 2},
            {"groups": 0},
            {"output_padding": 1},
            {"output_padding": (0, 0)},
            {"output_padding": 2, "stride": 2},
            {"output_padding": -1},
        )
    ),
]


@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X, W, V)


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("index", [-1, 9999])
def test_indices_out_of_range(index):
    check_error(lambda _, F, x: F.max_unpool3d(x, x.long() * 0 + index, 2), X)
