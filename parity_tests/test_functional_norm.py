"""Normalisation and embedding: values, running statistics, first and second derivatives, errors as torch's."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, floats
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt

# Each of these is a chain of a dozen roundings, and a quotient of sums in its second derivative.
CHAINED = 2.0**14
# torch's own second derivative fails for a bias without a weight: there, only the first is compared.

BATCHES = st.sampled_from([(6, 3), (2, 3, 4), (2, 3, 2, 3), (3, 3, 2, 2, 2), (1, 3, 5)])


@given(
    x=floats(BATCHES, -1, 4),
    training=st.booleans(),
    affine=st.sampled_from(["both", "weight", "bias", "none"]),
    tracked=st.booleans(),
    momentum=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 100),
)
def test_batch_norm(x, training, affine, tracked, momentum, seed):
    rng = np.random.default_rng(seed)
    w, b, mean, var = rng.normal(size=3), rng.normal(size=3), rng.normal(size=3), rng.uniform(0.5, 2, 3)

    def action(lib, F, x, w, b):
        running = [lib.from_numpy(a.copy()) for a in (mean, var)] if tracked or not training else [None, None]
        w, b = w if affine in ("both", "weight") else None, b if affine in ("both", "bias") else None
        y = F.batch_norm(x, *running, w, b, training, momentum, 1e-3)
        return y if running[0] is None else (y, *running)

    check(action, x, w, b, ulps=CHAINED, order=1 if affine == "bias" else 2)


@given(
    x=floats(st.sampled_from([(2, 4, 3), (1, 4, 2, 3), (2, 4, 2, 2, 2)])),
    stats=st.booleans(),
    tracked=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 100),
)
def test_instance_norm(x, stats, tracked, affine, seed):
    rng = np.random.default_rng(seed)
    w, b, mean, var = rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.uniform(0.5, 2, 4)

    def action(lib, F, x, w, b):
        running = [lib.from_numpy(a.copy()) for a in (mean, var)] if tracked or not stats else [None, None]
        y = F.instance_norm(x, *running, *((w, b) if affine else (None, None)), stats, 0.3, 1e-3)
        return y if running[0] is None else (y, *running)

    check(action, x, w, b, ulps=CHAINED)


@given(
    x=floats(st.sampled_from([(3, 4, 5), (5,), (2, 4, 5), (1, 2, 4, 5)])),
    dims=st.integers(1, 2),
    seed=st.integers(0, 100),
    affine=st.sampled_from(["both", "weight", "bias", "none"]),
)
def test_layer_and_rms_norm(x, dims, seed, affine):
    sizes = x.shape[-dims:]
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=sizes), rng.normal(size=sizes)

    def layer(_, F, x, w, b):
        w, b = w if affine in ("both", "weight") else None, b if affine in ("both", "bias") else None
        return F.layer_norm(x, sizes, w, b, 1e-3)

    check(layer, x, w, b, ulps=CHAINED, order=1 if affine == "bias" else 2)
    check(lambda _, F, x, w: F.rms_norm(x, sizes, w if affine != "none" else None, 1e-3), x, w, ulps=CHAINED)
    check(lambda _, F, x: F.rms_norm(x, sizes), x, ulps=CHAINED)


@given(
    x=floats(st.sampled_from([(2, 4), (2, 4, 3), (3, 4, 2, 2)])),
    groups=st.sampled_from([1, 2]),
    affine=st.booleans(),
    seed=st.integers(0, 100),
)
def test_group_norm(x, groups, affine, seed):
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=4), rng.normal(size=4)
    check(
        lambda _, F, x, w, b: F.group_norm(x, groups, *((w, b) if affine else (None, None)), 1e-3),
        x,
        w,
        b,
        ulps=CHAINED,
    )


@given(x=floats(st.sampled_from([(2, 4, 3), (3, 4, 2, 2), (1, 5, 2, 2, 2)])), size=st.integers(1, 5))
def test_local_response_norm(x, size):
    check(lambda _, F, x: F.local_response_norm(x, size, 0.3, 0.6, 1.5), x, ulps=CHAINED)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_lower_precision(dtype):
    """Half-precision inputs beside half or float32 parameters; float32 sums stay near torch's."""
    x = np.random.default_rng(0).normal(3, 1, size=(16, 8, 6)).astype(np.float32)
    w = np.random.default_rng(1).normal(size=8).astype(np.float32)

    def both(function, low_parameters):
        def action(lib, F, x, w):
            low = getattr(lib, dtype)
            return function(F, x.to(low), w.to(low) if low_parameters else w)

        # float32: sums of 96 terms. half: one rounding of the same float32 numbers, or of nearly the same.
        check(action, x, w, order=0, ulps=64 if dtype == "float32" else 2)

    for low_parameters in (True, False):
        both(lambda F, x, w: F.batch_norm(x, None, None, w, w, True), low_parameters)
        both(lambda F, x, w: F.group_norm(x, 2, w, w), low_parameters)
        both(lambda F, x, w: F.layer_norm(x.transpose(1, 2), (8,), w, w), low_parameters)


def test_statistics_of_many_large_numbers():
    """Mean 100, standard deviation 1, 200000 numbers in float32: the sums must not lose their digits."""
    x = np.random.default_rng(0).normal(100, 1, size=(200, 2, 1000)).astype(np.float32)
    y = mt.nn.functional.batch_norm(mt.from_numpy(x), None, None, training=True).numpy()
    wide = x.astype(np.float64)
    expected = (wide - wide.mean((0, 2), keepdims=True)) / np.sqrt(wide.var((0, 2), keepdims=True) + 1e-5)
    assert np.abs(y - expected).max() < 1e-4  # of values around 1; an ulp of x itself is 8e-6


def test_running_statistics_may_move_before_backward():
    """Evaluation reads the running statistics once: what happens to them afterwards is nothing to backward."""
    F = mt.nn.functional
    x, mean, var = mt.ones(2, 3, requires_grad=True), mt.zeros(3), mt.ones(3)
    y = F.batch_norm(x, mean, var, mt.ones(3), eps=0.0)
    mean += 5
    var += 5
    y.sum().backward()
    assert x.grad.numpy().tolist() == np.ones((2, 3)).tolist()


@given(
    indices=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    padding=st.sampled_from([None, 2, -1]),
    by_frequency=st.booleans(),
    w=floats((5, 3)),
)
def test_embedding(indices, padding, by_frequency, w):
    index = np.array(indices)
    # torch has no second derivative with scale_grad_by_freq
    check(
        lambda _, F, i, w: F.embedding(i, w, padding, scale_grad_by_freq=by_frequency),
        index,
        w,
        order=1 if by_frequency else 2,
    )
    check(lambda lib, F, i, w: F.embedding(i.to(lib.int32).reshape(1, -1), w), index, w)

    def limited(lib, F, i, w):
        w = w.detach().clone()
        return F.embedding(i, w, max_norm=1.0, norm_type=1.5), w

    check(limited, index, w, order=0)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3), (0, 3, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_nothing(shape, training):
    channels = shape[1] if len(shape) > 1 else 0
    x, mean = np.zeros(shape), np.ones(channels)
    check(lambda _, F, x, m: F.batch_norm(x, m.detach(), m.detach(), training=training), x, mean)
    if channels:
        check(lambda _, F, x, m, w: F.batch_norm(x, m.detach(), m.detach(), w, w, training), x, mean, mean)


X = np.ones((2, 4, 3), np.float32)
ERRORS = [
    lambda t, F, x: F.batch_norm(t.ones(1, 4), None, None, training=True),
    lambda _, F, x: F.batch_norm(x, None, None),
    lambda t, F, x: F.batch_norm(x, t.zeros(3), t.ones(3)),
    lambda t, F, x: F.batch_norm(x, t.zeros(4), None),
    lambda t, F, x: F.batch_norm(x, t.zeros(4), t.ones(4), t.ones(3)),
    lambda t, F, x: F.batch_norm(t.ones(4), None, None, training=True),
    lambda t, F, x: F.batch_norm(t.ones(4), t.ones(4), t.ones(4)),
    lambda t, F, x: F.batch_norm(t.ones(()), None, None, training=True),
    lambda t, F, x: F.batch_norm(t.ones(0), None, None, t.ones(0), training=True),
    lambda t, F, x: F.batch_norm(x.long(), None, None, training=True),
    lambda t, F, x: F.batch_norm(x, t.zeros(4), t.ones(4), t.ones(4).double()),
    lambda t, F, x: F.batch_norm(x.double(), t.zeros(4), t.ones(4)),
    lambda _, F, x: F.layer_norm(x, (4,)),
    lambda _, F, x: F.layer_norm(x, ()),
    lambda _, F, x: F.layer_norm(x, 3),
    lambda t, F, x: F.layer_norm(x, (3,), t.ones(2)),
    lambda t, F, x: F.layer_norm(x, (3,), None, t.ones(2)),
    lambda t, F, x: F.layer_norm(x.double(), (3,), t.ones(3)),
    lambda _, F, x: F.layer_norm(x.long(), (3,)),
    lambda _, F, x: F.group_norm(x, 3),
    lambda t, F, x: F.group_norm(x, 2, t.ones(3)),
    lambda t, F, x: F.group_norm(t.ones(4), 2),
    lambda t, F, x: F.group_norm(t.ones(1, 4), 4),
    lambda _, F, x: F.instance_norm(x[..., :1]),
    lambda _, F, x: F.instance_norm(x, use_input_stats=False),
    lambda _, F, x: F.rms_norm(x, (4,)),
    lambda t, F, x: F.rms_norm(x, (3,), t.ones(2)),
    lambda _, F, x: F.local_response_norm(x[0], 2),
    lambda _, F, x: F.local_response_norm(x, 0),
    lambda t, F, x: F.embedding(t.tensor([5]), t.ones(3, 2)),
    lambda t, F, x: F.embedding(t.tensor([-1]), t.ones(3, 2)),
    lambda t, F, x: F.embedding(t.tensor([1.0]), t.ones(3, 2)),
    lambda t, F, x: F.embedding(t.tensor([1]), t.ones(3)),
    lambda t, F, x: F.embedding(t.tensor([1]), t.ones(3, 2), padding_idx=4),
    lambda t, F, x: F.embedding(t.tensor([1], dtype=t.int16), t.ones(3, 2)),
]


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "group_norm"])
def test_of_nothing_the_gradients_are_zeros(name):
    def action(lib, F, x, w, b):
        if name == "batch_norm":
            return F.batch_norm(x, None, None, w, b, True)
        return F.layer_norm(x, (4,), w, b) if name == "layer_norm" else F.group_norm(x, 2, w, b)

    def gradients(lib):
        x, w, b = lib.ones(0, 4), lib.ones(4, requires_grad=True), lib.ones(4, requires_grad=True)
        y = action(lib, lib.nn.functional, x, w, b)
        y.sum().backward()
        return y.shape, w.grad.tolist(), b.grad.tolist()

    assert gradients(mt) == gradients(torch)


NOT_TENSORS = [
    lambda F, x: F.relu(x),
    lambda F, x: F.max_pool2d(x, 2),
    lambda F, x: F.avg_pool2d(x, 2),
    lambda F, x: F.batch_norm(x, None, None, training=True),
    lambda F, x: F.layer_norm(x, (2,)),
    lambda F, x: F.group_norm(x, 1),
    lambda F, x: F.dropout(x),
    lambda F, x: F.embedding(x, mt.ones(2, 2)),
    lambda F, x: F.one_hot(x),
    lambda F, x: F.softmax(x, 1),
]


@pytest.mark.parametrize("action", NOT_TENSORS)
@pytest.mark.parametrize("value", [None, [1.0], np.ones((2, 2))])
def test_what_is_not_a_tensor_is_named(action, value):
    name = "numpy.ndarray" if isinstance(value, np.ndarray) else type(value).__name__  # as torch names them
    with pytest.raises(TypeError, match=f"must be Tensor, not {name}"):
        action(mt.nn.functional, value)


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
def test_texts_of_errors():
    F = mt.nn.functional
    with pytest.raises(IndexError, match="index out of range in self"):
        F.embedding(mt.tensor([3]), mt.ones(3, 2))
    with pytest.raises(NotImplementedError, match=r"sparse=True.*not supported"):
        F.embedding(mt.tensor([1]), mt.ones(3, 2), sparse=True)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        F.batch_norm(mt.ones(1, 2), None, None, training=True)
