"""Convolution, pooling, padding, resizing, unfolding: values, indices, two derivatives, errors as torch's."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, floats
from hypothesis import assume, given
from hypothesis import strategies as st

import minitorch2 as mt

SMALL = st.integers(1, 3)
CONV = 512  # sums over a window and all channels, whose terms cancel


@st.composite
def windows(draw, dims, dilated=True):
    """kernel_size, stride, padding, dilation: numbers or one per dim; padding at most half the kernel."""
    kernel = [draw(SMALL) for _ in range(dims)]
    stride = draw(st.sampled_from([None, 1, 2, [draw(SMALL) for _ in range(dims)]]))
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    dilation = draw(st.sampled_from([1, 2])) if dilated else 1
    return kernel, stride, padding, dilation


def planes(dims):
    """(N, C, d1, ...) or (C, d1, ...)"""
    sizes = st.tuples(*[st.integers(5, 8)] * dims)
    return floats(st.tuples(st.sampled_from([(2, 3), (3,), (1, 2)]), sizes).map(lambda s: s[0] + s[1]))


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data(), ceil=st.booleans())
def test_max_pool(dims, data, ceil):
    x, (kernel, stride, padding, dilation) = data.draw(planes(dims)), data.draw(windows(dims))
    name = f"max_pool{dims}d"
    check(lambda _, F, x: getattr(F, name)(x, kernel, stride, padding, dilation, ceil), x)
    check(lambda _, F, x: getattr(F, name)(x, kernel, stride, padding, dilation, ceil, return_indices=True), x, order=1)


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data(), ceil=st.booleans(), count=st.booleans(), divisor=st.sampled_from([None, 3]))
def test_avg_pool(dims, data, ceil, count, divisor):
    x, (kernel, stride, padding, _) = data.draw(planes(dims)), data.draw(windows(dims, dilated=False))
    more = (divisor,) if dims == 2 else ()
    check(lambda _, F, x: getattr(F, f"avg_pool{dims}d")(x, kernel, stride, padding, ceil, count, *more), x)


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data())
def test_adaptive_pools(dims, data):
    x = data.draw(planes(dims))
    out = data.draw(
        st.sampled_from([1, 2, 3, 7, 9]) if dims == 1 else st.tuples(*[st.sampled_from([None, 1, 2, 3, 5, 9])] * 2)
    )
    check(lambda _, F, x: getattr(F, f"adaptive_avg_pool{dims}d")(x, out), x)
    check(lambda _, F, x: getattr(F, f"adaptive_max_pool{dims}d")(x, out), x)
    check(lambda _, F, x: getattr(F, f"adaptive_max_pool{dims}d")(x, out, return_indices=True), x, order=0)


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data(), kernel=st.sampled_from([2, 3]))
def test_max_unpool(dims, data, kernel):
    x = data.draw(planes(dims))

    def action(_, F, x):
        y, indices = getattr(F, f"max_pool{dims}d")(x, kernel, return_indices=True)
        return getattr(F, f"max_unpool{dims}d")(y, indices, kernel, output_size=x.shape[-dims:])

    check(action, x)


def test_pools_of_nan_ties_and_infinities():
    x = np.array([[0, 0, np.nan, 1], [0, 0, 2, 3], [-np.inf, -np.inf, np.inf, 5], [-np.inf, -np.inf, 7, np.nan]])[None]
    check(lambda _, F, x: F.max_pool2d(x, 2, return_indices=True), x, order=0)
    check(lambda _, F, x: F.max_pool2d(x, 3, 1, 1), x, order=0)
    check(lambda _, F, x: F.adaptive_max_pool2d(x, 3), x, order=0)
    check(lambda _, F, x: F.max_pool2d(x, 2), np.nan_to_num(x), order=1)
    check(lambda _, F, x: F.avg_pool2d(x, 2), x, order=0)


def test_pools_of_integers_and_of_nothing():
    check(lambda _, F, x: F.max_pool2d(x, 2), np.arange(16).reshape(1, 4, 4))
    for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"):
        for size in (2, 3):
            check(lambda _, F, x, n=name, s=size: getattr(F, n)(x, s), np.ones((0, 2, 4, 4)))
    check(lambda _, F, x: F.adaptive_avg_pool2d(x, 0), np.ones((2, 2, 4, 4)), order=0)


@pytest.mark.parametrize("bias", [(), (1,), (4,), (1, 4), (2, 4)])
def test_linear_with_a_bias_that_broadcasts(bias):
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=shape) for shape in ((2, 3), (4, 3), bias))
    check(lambda _, F, x, w, b: F.linear(x, w, b), x, w, b)
    check(lambda _, F, x, w: F.linear(x, w), x, w[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6)).astype(np.float32)
    for function in (
        lambda F, x: F.max_pool2d(x, 3, 2, 1),
        lambda F, x: F.avg_pool2d(x, 3, 2, 1),
        lambda F, x: F.pad(x, (1, 2), value=0.5),
        lambda F, x: F.adaptive_avg_pool2d(x, 3),
        lambda F, x: F.adaptive_max_pool2d(x, 3),
        lambda F, x: F.pad(x, (1, 1, 2, 0), "reflect"),
        lambda F, x: F.interpolate(x, (9, 4)),
        lambda F, x: F.unfold(x, 2),
        lambda F, x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    ):
        check(lambda lib, F, x, f=function: f(F, x.to(getattr(lib, dtype))), x, order=0, ulps=2)


@pytest.mark.parametrize("dims", [1, 2])
@given(
    data=st.data(),
    groups=st.sampled_from([1, 2]),
    biased=st.booleans(),
    padding=st.sampled_from(["same", "valid", 0, 2]),
    stride=st.sampled_from([1, 2]),
    dilation=st.sampled_from([1, 2]),
)
def test_conv(dims, data, groups, biased, padding, stride, dilation):
    assume(padding != "same" or stride == 1)
    lead = data.draw(st.sampled_from([(2, 4), (4,)]))
    x = data.draw(floats((*lead, *data.draw(st.tuples(*[st.integers(5, 7)] * dims)))))
    w, b = data.draw(floats((6, 4 // groups, *data.draw(st.tuples(*[SMALL] * dims))))), data.draw(floats((6,)))

    def action(_, F, x, w, b):
        return getattr(F, f"conv{dims}d")(x, w, b if biased else None, stride, padding, dilation, groups)

    check(action, x, w, b, ulps=CONV)


@pytest.mark.parametrize("dims", [1, 2])
@given(
    data=st.data(),
    groups=st.sampled_from([1, 2]),
    biased=st.booleans(),
    padding=st.integers(0, 1),
    stride=st.sampled_from([1, 2]),
    dilation=st.sampled_from([1, 2]),
    extra=st.integers(0, 1),
)
def test_conv_transpose(dims, data, groups, biased, padding, stride, dilation, extra):
    assume(extra < max(stride, dilation))
    lead = data.draw(st.sampled_from([(2, 4), (4,)]))
    x = data.draw(floats((*lead, *data.draw(st.tuples(*[st.integers(3, 5)] * dims)))))
    w, b = data.draw(floats((4, 2, *data.draw(st.tuples(*[SMALL] * dims))))), data.draw(floats((2 * groups,)))

    def action(_, F, x, w, b):
        function = getattr(F, f"conv_transpose{dims}d")
        return function(x, w, b if biased else None, stride, padding, extra, groups, dilation)

    check(action, x, w, b, ulps=CONV)


@given(
    x=floats((2, 3, 4, 5)),
    pads=st.lists(st.integers(-1, 3), min_size=2, max_size=8).filter(lambda p: len(p) % 2 == 0),
    value=st.sampled_from([None, 0, 1.5, -np.inf]),
)
def test_pad_constant(x, pads, value):
    assume(not (value and np.isinf(value)) or min(pads) >= 0)
    order = 0 if value and np.isinf(value) else 2
    check(lambda _, F, x: F.pad(x, pads, value=value), x, order=order)
    check(lambda _, F, x: F.pad(x.long(), pads, value=2), x, order=0)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@given(shape=st.sampled_from([(3, 5), (2, 3, 5), (3, 4, 5), (2, 3, 4, 5), (2, 3, 3, 4, 5)]), data=st.data())
def test_pad_by_repeating(mode, shape, data):
    dims = data.draw(st.sampled_from([d for d in (1, 2, 3) if len(shape) - d in (1, 2)]))
    # with a negative amount torch's circular mode may read what it has not written yet
    lowest = 0 if mode == "circular" and data.draw(st.booleans()) else -1
    highest = 1 if mode == "circular" and lowest < 0 else 9
    pads = [data.draw(st.integers(lowest, min(highest, n - 1))) for n in shape[::-1][:dims] for _ in (0, 1)]
    check(lambda _, F, x: F.pad(x, pads, mode), data.draw(floats(shape)), linear=mode != "circular")


@given(x=floats(st.sampled_from([(2, 3, 6, 7), (3, 6, 7)])), settings=windows(2), data=st.data())
def test_unfold_and_fold(x, settings, data):
    kernel, stride, padding, dilation = settings
    stride = 1 if stride is None else stride
    check(lambda _, F, x: F.unfold(x, kernel, dilation, padding, stride), x)

    def there_and_back(_, F, x):
        return F.fold(F.unfold(x, kernel, dilation, padding, stride) ** 2, (6, 7), kernel, dilation, padding, stride)

    check(there_and_back, x)


def test_unfold_and_fold_of_bools():
    x = np.random.default_rng(0).uniform(size=(2, 3, 5, 6)) < 0.3
    check(lambda _, F, x: F.unfold(x, (2, 3), 1, (0, 1), 2), x)
    check(lambda _, F, x: F.fold(F.unfold(x, 2, padding=1), (5, 6), 2, padding=1), x)


MODES = {
    3: ["nearest", "nearest-exact", "linear", "area"],
    4: ["nearest", "nearest-exact", "bilinear", "area"],
    5: ["nearest", "nearest-exact", "trilinear", "area"],
}


@given(shape=st.sampled_from([(2, 3, 5), (2, 2, 4, 5), (1, 2, 3, 4, 2)]), data=st.data(), align=st.booleans())
def test_interpolate(shape, data, align):
    mode, dims = data.draw(st.sampled_from(MODES[len(shape)])), len(shape) - 2
    if data.draw(st.booleans()):
        resize = {"size": tuple(data.draw(st.integers(1, 9)) for _ in range(dims))}
    else:
        scale = data.draw(st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.0, 3]))
        resize = {"scale_factor": scale, "recompute_scale_factor": data.draw(st.sampled_from([None, True]))}
    if "linear" in mode:
        resize["align_corners"] = align
    check(lambda _, F, x: F.interpolate(x, mode=mode, **resize), data.draw(floats(shape)), ulps=256)


def test_interpolate_as_torch_rounds_in_float32():
    """Which element is nearest, and where between two a place lies, is decided in float32: the same ones."""
    x = np.random.default_rng(0).normal(size=(1, 1, 61)).astype(np.float32)
    for out in range(1, 200, 7):
        for mode in ("nearest", "nearest-exact"):
            check(lambda _, F, x, o=out, m=mode: F.interpolate(x, o, mode=m), x, order=0, ulps=0)
    check(lambda _, F, x: F.interpolate(x, 97, mode="linear"), x, order=1)
    check(lambda _, F, x: F.interpolate(x, scale_factor=1.37, mode="linear"), x, order=1)


@given(x=floats(st.sampled_from([(8, 4, 6), (2, 4, 2, 4), (4, 2, 2)])))
def test_pixel_shuffles(x):
    check(lambda _, F, x: F.pixel_shuffle(x, 2), x)
    check(lambda _, F, x: F.pixel_unshuffle(x, 2), x)


X, Y = np.random.default_rng(0).normal(size=(2, 4, 6)), np.random.default_rng(1).normal(size=(2, 3, 5, 6))
ERRORS = [
    *(
        lambda _, F, x, y, a=a: F.max_pool1d(x, *a)
        for a in ((3, None, 2), (9,), (2, 0), (2, None, 0, 0), (2, None, -1))
    ),
    *(
        lambda _, F, x, y, a=a: F.max_pool2d(y, *a)
        for a in ((3, None, 2), (9,), (2, 0), (0,), ((2, 2, 2),), (2, None, -1), (2, None, 0, 0))
    ),
    *(
        lambda _, F, x, y, a=a: F.avg_pool2d(y, *a)
        for a in ((3, None, 2), (9,), (2, 0), (2, None, -1), (2, None, 0, False, True, 0))
    ),
    lambda _, F, x, y: F.max_pool1d(x[0, 0], 2),
    lambda _, F, x, y: F.max_pool1d(x.long(), 2),
    lambda _, F, x, y: F.max_pool2d(x[0], 2),
    lambda _, F, x, y: F.max_pool2d(y[:, :0], 2),
    lambda _, F, x, y: F.max_pool2d(y[:, :, :0], 2),
    lambda _, F, x, y: F.avg_pool1d(x, 9),
    lambda _, F, x, y: F.avg_pool1d(x[0, 0], 2),
    lambda _, F, x, y: F.adaptive_avg_pool1d(x, -1),
    lambda _, F, x, y: F.adaptive_avg_pool1d(x, (2, 2)),
    lambda _, F, x, y: F.adaptive_avg_pool1d(x[0, 0], 2),
    lambda _, F, x, y: F.adaptive_avg_pool2d(y, (2,)),
    lambda _, F, x, y: F.adaptive_avg_pool2d(y, (2, -1)),
    lambda _, F, x, y: F.adaptive_avg_pool2d(x[0], 2),
    lambda _, F, x, y: F.adaptive_avg_pool2d(y[:, :, :0], 2),
    lambda _, F, x, y: F.adaptive_avg_pool2d(y.long(), 1),
    lambda _, F, x, y: F.adaptive_max_pool1d(x, (2, 2)),
    lambda _, F, x, y: F.adaptive_max_pool2d(y, (2,)),
    lambda _, F, x, y: F.adaptive_max_pool2d(y, (2, -1)),
    lambda _, F, x, y: F.adaptive_max_pool2d(y.long(), 1),
    lambda _, F, x, y: F.max_unpool1d(x, x.long() * 0 + 99, 2),
    lambda _, F, x, y: F.max_unpool2d(y, y.long() * 0 + 999, 2),
    lambda _, F, x, y: F.max_unpool2d(y, y, 2),
    lambda _, F, x, y: F.max_unpool2d(y, y.long()[:1], 2),
    *(lambda _, F, x, y, o=o: F.max_unpool2d(y, y.long() * 0, 2, output_size=o) for o in ((1, 1), (10, 12, 1))),
    *(
        lambda _, F, x, y, a=a: F.pad(x, *a)
        for a in (
            ((1,),),
            ((1,) * 8,),
            ((-7, 0),),
            ((7, 1), "reflect"),
            ((6, 1), "reflect"),
            ((7, 1), "circular"),
            ((1, 1), "x"),
            ((1, 1), "reflect", 2.0),
            ((-9, 1), "replicate"),
        )
    ),
    lambda _, F, x, y: F.pad(y, (1, 1), "reflect"),
    lambda _, F, x, y: F.pad(x[0, 0], (1, 1), "reflect"),
    lambda _, F, x, y: F.pad(x[:, :0], (1, 1), "reflect"),
    *(
        lambda _, F, x, y, k=k: F.unfold(y, **k)
        for k in (
            {"kernel_size": 9},
            {"kernel_size": 0},
            {"kernel_size": 2, "stride": 0},
            {"kernel_size": 2, "padding": -1},
        )
    ),
    lambda t, F, x, y: F.fold(t.ones(2, 13, 20), (5, 6), 2),
    *(lambda t, F, x, y, o=o: F.fold(t.ones(2, 12, 9), o, 2) for o in ((4,), (4, 4, 4), (4.0, 4), "44")),
    *(lambda t, F, x, y, k=k: F.fold(t.ones(2, 12, 9), 4, k) for k in ((2,), (2, 2, 2), 2.5)),
    lambda t, F, x, y: F.fold(t.ones(2, 12, 9).long(), 4, 2),
    lambda t, F, x, y: F.unfold(y.long(), 2),
    lambda t, F, x, y: F.fold(t.ones(2, 12, 21), (5, 6), 2),
    lambda t, F, x, y: F.fold(t.ones(20), (5, 6), 2),
    lambda _, F, x, y: F.interpolate(x),
    lambda _, F, x, y: F.interpolate(x, 3, 2),
    lambda _, F, x, y: F.interpolate(x, 3, mode="bilinear"),
    lambda _, F, x, y: F.interpolate(y, 3, mode="linear"),
    lambda _, F, x, y: F.interpolate(y, 3, align_corners=True),
    lambda _, F, x, y: F.interpolate(y, (3, 3, 3)),
    lambda _, F, x, y: F.interpolate(y, scale_factor=(3, 3, 3)),
    lambda _, F, x, y: F.interpolate(y, 0),
    lambda _, F, x, y: F.interpolate(y, 3, mode="xx"),
    lambda _, F, x, y: F.interpolate(x[0], 3),
    lambda _, F, x, y: F.interpolate(y, 3, antialias=True),
    lambda _, F, x, y: F.interpolate(y, 3, recompute_scale_factor=True),
    lambda _, F, x, y: F.interpolate(y.long(), 3),
    lambda _, F, x, y: F.interpolate(y[:, :0], 3),
    lambda _, F, x, y: F.pixel_shuffle(y, 2),
    lambda _, F, x, y: F.pixel_shuffle(x[0, 0], 2),
    lambda _, F, x, y: F.pixel_shuffle(y, 0),
    lambda _, F, x, y: F.pixel_unshuffle(y, 2),
    lambda _, F, x, y: F.pixel_unshuffle(y, 0),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 2, 2, 2).double()),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2)),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 9, 9).double()),
    lambda t, F, x, y: F.conv1d(y, t.ones(2, 3, 2).double()),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2).double(), stride=0),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2).double(), padding=-1),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2).double(), t.ones(3).double()),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2).double()),
    lambda t, F, x, y: F.conv3d(y[None], t.ones(1, 1, 4, 3).double()),
    lambda t, F, x, y: F.conv_transpose3d(y[None], t.ones(1, 1, 4, 3).double()),
]
# Calls whose errors have torch's words: of several mistakes the same one is named.
TEXTS = [
    lambda t, F, x, y: F.conv1d(x, t.ones(2, 3, 2).double(), stride=0),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 2, 2, 2).double(), stride=-1),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 2, 2, 2).double(), padding=-1),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2).double(), t.ones(3).double(), stride=(1, 0)),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3, 2, 2).double(), dilation=0),
    lambda t, F, x, y: F.conv2d(y, t.ones(2, 3).double()),
    lambda t, F, x, y: F.conv_transpose1d(x, t.ones(2, 3).double()),
    *(
        lambda t, F, x, y, a=a: F.max_pool1d(x, *a)
        for a in ((0,), (-1,), (2, 0), (2, -1), (2, None, -1), (3, None, 2), (2, None, 0, 0), (9,), (2, 1, 0, 8))
    ),
    lambda t, F, x, y: F.prelu(x.sum(), t.ones(2).double()),
    lambda t, F, x, y: F.fold(y, (4,), 2),
    lambda t, F, x, y: F.unfold(y, (2, 2, 2)),
]


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X, Y)


@pytest.mark.cpu("torch's words on the CPU")
@pytest.mark.parametrize("action", TEXTS)
def test_error_texts(action):
    check_error(action, X, Y)
    texts = []
    for lib in (mt, torch):
        with pytest.raises(RuntimeError) as caught:
            action(lib, lib.nn.functional, lib.from_numpy(X), lib.from_numpy(Y))
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
