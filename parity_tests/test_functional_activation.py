"""Activations, softmax, dropout, attention and distances: values and first and second derivatives as torch's."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, check_warning, floats, shapes
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt

ELEMENTWISE = {
    "relu": lambda _, F, x: F.relu(x),
    "relu6": lambda _, F, x: F.relu6(x * 3),
    "leaky_relu": lambda _, F, x: F.leaky_relu(x, 0.2),
    "elu": lambda _, F, x: F.elu(x, 0.7),
    "selu": lambda _, F, x: F.selu(x),
    "celu": lambda _, F, x: F.celu(x, 0.5),
    "gelu": lambda _, F, x: F.gelu(x),
    "gelu tanh": lambda _, F, x: F.gelu(x, approximate="tanh"),
    "silu": lambda _, F, x: F.silu(x),
    "mish": lambda _, F, x: F.mish(x),
    "sigmoid": lambda _, F, x: F.sigmoid(x),
    "logsigmoid": lambda _, F, x: F.logsigmoid(x),
    "tanh": lambda _, F, x: F.tanh(x),
    "softplus": lambda _, F, x: F.softplus(x, 2, 1.5),
    "softsign": lambda _, F, x: F.softsign(x),
    "tanhshrink": lambda _, F, x: F.tanhshrink(x),
    "hardtanh": lambda _, F, x: F.hardtanh(x, -0.7, 1.2),
    "hardswish": lambda _, F, x: F.hardswish(x * 2),
    "threshold": lambda _, F, x: F.threshold(x, 0.3, 7),
    "softshrink": lambda _, F, x: F.softshrink(x, 0.4),
    "hardshrink": lambda _, F, x: F.hardshrink(x, 0.4),
    "rrelu eval": lambda _, F, x: F.rrelu(x),
    "rrelu": lambda _, F, x: F.rrelu(x, training=True),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(x=floats(shapes(0, 3, 0)))
def test_elementwise(name, x):
    check(ELEMENTWISE[name], x, linear=name == "rrelu")


@pytest.mark.parametrize("name", [*ELEMENTWISE, "hardsigmoid"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_lower_precision(name, dtype):
    action = ELEMENTWISE.get(name, lambda _, F, x: F.hardsigmoid(x))
    if name == "rrelu" and dtype != "float32":
        pytest.skip("torch has no kernel for it")
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    ulps = 4 if dtype == "float32" else 2
    check(lambda lib, F, x: action(lib, F, x.to(getattr(lib, dtype))), x, order=0, ulps=ulps)


@given(x=floats(shapes(0, 2)))
def test_hardsigmoid(x):
    # torch has no second derivative for it, and rounds 1/6 to float32 in the first
    check(lambda _, F, x: F.hardsigmoid(x * 2), x, order=1, ulps=2.0**30)


KINKS = np.array([-np.inf, -6, -3, -1, -0.5, -0.0, 0.0, 0.5, 1, 3, 6, np.inf, np.nan])


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "hardtanh",
        "hardswish",
        "threshold",
        "softshrink",
        "hardshrink",
        "logsigmoid",
        "softplus",
        "hardsigmoid",
    ],
)
def test_kinks_and_infinities(name):
    """At the kinks the slope is the one torch has chosen; infinities and nan go through as torch lets them."""
    action = {
        "relu6": lambda _, F, x: F.relu6(x),
        "hardtanh": lambda _, F, x: F.hardtanh(x),
        "hardswish": lambda _, F, x: F.hardswish(x),
        "hardsigmoid": lambda _, F, x: F.hardsigmoid(x),
        "threshold": lambda _, F, x: F.threshold(x, 1, 7),
        "softshrink": lambda _, F, x: F.softshrink(x, 0.5),
        "hardshrink": lambda _, F, x: F.hardshrink(x, 0.5),
    }.get(name) or ELEMENTWISE[name]
    check(action, KINKS, order=1, ulps=2.0**30 if name in ("celu", "hardsigmoid") else 64)


@given(st.sampled_from([(3, 4, 2), (2, 4), (5,), ()]), st.booleans(), st.integers(0, 2**16))
def test_prelu(shape, many, seed):
    rng = np.random.default_rng(seed)
    channels = shape[1] if many and len(shape) > 1 else 1
    check(lambda _, F, x, w: F.prelu(x, w), rng.normal(size=shape), rng.normal(size=channels))


INPLACE = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "hardswish", "rrelu"]


@pytest.mark.parametrize("name", INPLACE)
def test_inplace(name):
    def action(_, F, x):
        y = x * 1
        assert getattr(F, name)(y, inplace=True) is y
        return y

    x = np.random.default_rng(0).normal(size=(4, 5))
    check(action, x, order=1, ulps=2.0**30 if name == "celu" else 64)


@given(x=floats(shapes(1, 3)), dim=st.integers(-1, 0), name=st.sampled_from(["softmax", "log_softmax", "softmin"]))
def test_softmax(x, dim, name):
    check(lambda _, F, x: getattr(F, name)(x, dim), x)
    check(lambda lib, F, x: getattr(F, name)(x, dim, dtype=lib.float64), x.astype(np.float32), order=0)
    check(lambda lib, F, x: getattr(F, name)(x.half(), dim), x.astype(np.float32), order=0, ulps=1)


def test_softmax_of_extremes():
    x = np.array([[1e30, 0, -1e30], [-np.inf, 0, 1], [np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1]])
    for name in ("softmax", "log_softmax"):
        check(lambda _, F, x, name=name: getattr(F, name)(x, 1), x, order=0)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 2), (2, 3, 2, 2)])
def test_softmax_guesses_a_missing_dim(shape):
    for name in ("softmax", "log_softmax", "softmin"):
        check_warning(lambda _, F, x, name=name: getattr(F, name)(x), np.ones(shape))
        check(lambda _, F, x, name=name: getattr(F, name)(x), np.random.default_rng(0).normal(size=shape), order=0)


@given(x=floats(st.tuples(st.integers(1, 4), st.sampled_from([2, 4, 6]))))
def test_glu(x):
    check(lambda _, F, x: F.glu(x), x)


@given(x=floats(shapes(1, 3), dtype="float32"), hard=st.booleans(), seed=st.integers(0, 100))
def test_gumbel_softmax(x, hard, seed):
    def action(lib, F, x):
        lib.manual_seed(seed)
        return F.gumbel_softmax(x, 0.7, hard, dim=-1)

    check(action, x, order=1)


DROPOUTS = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_dropout(name, dtype, p):
    """The same seed drops the same elements."""
    shapes = {"dropout1d": [(3, 4, 5), (4, 5)], "dropout3d": [(2, 3, 2, 2, 2), (3, 2, 2, 2)]}
    for shape in shapes.get(name, [(3, 4, 5), (2, 3, 4, 5)]):
        x = np.random.default_rng(0).normal(size=shape).astype(dtype)
        check(lambda _, F, x: getattr(F, name)(x, p, training=True), x, ulps=4)
        check(lambda _, F, x: getattr(F, name)(x.transpose(0, 1), p, training=True), x, ulps=4)
        check(lambda _, F, x: getattr(F, name)(x * 1, p, training=True, inplace=True), x, order=0, ulps=4)
        check(lambda _, F, x: getattr(F, name)(x, p, training=False), x)


def test_dropout_warnings():
    for shape in ((3, 4), (3, 4, 5)):
        check_warning(lambda _, F, x: F.dropout2d(x), np.ones(shape))
    check_warning(lambda _, F, x: F.dropout3d(x), np.ones((3, 4)))


@given(st.sampled_from([None, "bool", "float", "causal"]), st.sampled_from([(), (2,), (2, 3)]), st.integers(0, 2**16))
def test_attention(mask, batch, seed):
    rng = np.random.default_rng(seed)
    q, k, v = rng.normal(size=(*batch, 4, 3)), rng.normal(size=(*batch, 5, 3)), rng.normal(size=(*batch, 5, 2))
    m = rng.normal(size=(4, 5)) if mask == "float" else rng.random((4, 5)) < 0.5

    def action(lib, F, q, k, v, m):
        if mask in (None, "causal"):
            return F.scaled_dot_product_attention(q, k, v, is_causal=mask == "causal")
        return F.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=0.3)

    check(action, q, k, v, m)


@given(x=floats(st.just((3, 4))), y=floats(st.sampled_from([(3, 4), (1, 4), (4,)])), p=st.sampled_from([1.0, 2.0, 3.0]))
def test_distances(x, y, p):
    check(lambda _, F, x, y: F.cosine_similarity(x, y, dim=-1), x, y)
    check(lambda _, F, x, y: F.pairwise_distance(x, y, p), x, y)
    check(lambda _, F, x: F.normalize(x, p, dim=1), x)


def test_normalize_of_zeros():
    check(lambda _, F, x: F.normalize(x, dim=0), np.zeros((2, 3)), order=1)
    check(lambda _, F, x: F.cosine_similarity(x, x, dim=0), np.zeros((2, 3)), order=1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.sampled_from([-1, 6, 9]))
def test_one_hot(classes, count):
    check(lambda _, F, t: F.one_hot(t, count), np.array(classes), order=0)


@given(x=floats((2, 3, 4)), y=floats((2, 3, 5)), w=floats((6, 4, 5)), b=floats((6,)))
def test_bilinear(x, y, w, b):
    check(lambda _, F, x, y, w, b: F.bilinear(x, y, w, b), x, y, w, b)


INTS = np.array([1, 2, 3])
X = np.ones((2, 4, 3), np.float32)
ERRORS = [
    *(
        (lambda _, F, x, n=n: getattr(F, n)(x), INTS)
        for n in (
            "leaky_relu",
            "elu",
            "gelu",
            "silu",
            "softplus",
            "hardsigmoid",
            "hardswish",
            "selu",
            "mish",
            "logsigmoid",
        )
    ),
    (lambda _, F, x: F.softmax(x, 0), INTS),
    (lambda _, F, x: F.gelu(x, approximate="x"), X),
    (lambda _, F, x: F.hardtanh(x, 1, -1), X),
    (lambda _, F, x: F.softshrink(x, -1), X),
    (lambda _, F, x: F.softmax(x, 3), X),
    (lambda _, F, x: F.glu(x), X),
    (lambda _, F, x: F.glu(x.sum()), X),
    (lambda t, F, x: F.prelu(x, t.ones(3)), X),
    (lambda t, F, x: F.prelu(x.sum(), t.ones(2)), X),
    (lambda t, F, x: F.prelu(x.long(), t.ones(1).long()), X),
    (lambda t, F, x: F.prelu(x, t.ones(2, 2)), X),
    (lambda t, F, x: F.prelu(x, t.ones(1).double()), X),
    (lambda _, F, x: F.rrelu(x, 1.0, 0.5), X),
    (lambda _, F, x: F.celu(x, 0.0), X),
    pytest.param(
        (lambda _, F, x: F.one_hot(x, 2), INTS),
        marks=pytest.mark.cpu("a class out of range is not looked for on a GPU, where torch ends the process"),
    ),
    (lambda _, F, x: F.one_hot(-x), INTS),
    (lambda _, F, x: F.one_hot(x.float()), INTS),
    (lambda _, F, x: F.one_hot(x.int()), INTS),
    (lambda _, F, x: F.one_hot(x[:0]), INTS),
    (lambda _, F, x: F.dropout(x, 2), X),
    (lambda _, F, x: F.dropout(x, -0.1), X),
    (lambda _, F, x: F.dropout(x, 0.5), INTS),
    (lambda t, F, x: F.dropout1d(t.ones(2, 2, 2, 2)), X),
    (lambda t, F, x: F.dropout2d(t.ones(3)), X),
    (lambda _, F, x: F.cosine_similarity(x, x, dim=0), INTS),
    (lambda _, F, x: F.normalize(x, dim=0), INTS),
    (lambda t, F, x: F.bilinear(x, x[:1], t.ones(2, 3, 3)), X),
    (lambda t, F, x: F.bilinear(x, x, t.ones(2, 2, 3)), X),
    (lambda t, F, x: F.bilinear(x, x, t.ones(2, 3, 3), t.ones(3)), X),
    (lambda t, F, x: F.scaled_dot_product_attention(x[0, 0], x, x), X),
    (lambda t, F, x: F.scaled_dot_product_attention(x, x, x, attn_mask=t.ones(4, 4).bool(), is_causal=True), X),
]


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    check_error(*case)


def test_every_name_is_torchs():
    for name in mt.nn.functional.__all__:
        assert callable(getattr(mt.nn.functional, name)) and hasattr(torch.nn.functional, name), name
    with pytest.raises(AttributeError, match=r"'scaled_mm'.*not supported"):
        _ = mt.nn.functional.scaled_mm


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("layout", ["rows", "transposed", "every second"])
def test_in_place_without_a_gradient(name, dtype, layout):
    """They write over their input, whatever view of memory that is; the memory's version counts it."""
    results = []
    for lib in (mt, torch):
        base = (lib.arange(24).reshape(4, 6) - 11).to(getattr(lib, dtype))
        base = base / 4 if dtype.startswith("float") else base
        x = {"rows": base, "transposed": base.t(), "every second": base[:, ::2]}[layout]
        version, place = x._version, x.data_ptr()
        y = getattr(lib.nn.functional, name)(x, inplace=True)
        assert y is x and x.data_ptr() == place and x._version == version + 1
        results.append(base.float().tolist())
    assert results[0] == results[1]
