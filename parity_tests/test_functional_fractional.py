"""Fractional max pooling: windows from one seed, values, indices, two derivatives and errors as torch's."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, floats
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu, host

import minitorch2 as mt

NAMES = {2: "fractional_max_pool2d", 3: "fractional_max_pool3d"}


@pytest.mark.parametrize("dims", [2, 3])
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_fractional_max_pool(dims, data, seed):
    """Windows wherever one seed has drawn them, or where the samples that are given put them."""
    x = data.draw(floats((2, 3, *data.draw(st.tuples(*[st.integers(5, 9)] * dims)))))
    kernel = data.draw(st.one_of(st.integers(1, 3), st.tuples(*[st.integers(1, 3)] * dims)))
    to = data.draw(
        st.one_of(
            st.tuples(*[st.sampled_from([0, 1, 2])] * dims).map(lambda out: {"output_size": out}),
            st.sampled_from([1, 2]).map(lambda out: {"output_size": out}),
            st.tuples(*[st.sampled_from([0.1, 0.25, 0.4])] * dims).map(lambda share: {"output_ratio": share}),
        )
    )
    samples = np.random.default_rng(seed).uniform(size=(data.draw(st.sampled_from([2, 4])), 3, dims))

    def action(lib, F, x):
        lib.manual_seed(seed)
        return getattr(F, NAMES[dims])(x, kernel, **to)

    def with_indices(lib, F, x):
        lib.manual_seed(seed)
        return getattr(F, NAMES[dims])(x, kernel, return_indices=True, **to)

    check(action, x)
    check(with_indices, x, order=1)
    check(lambda _, F, x, s: getattr(F, NAMES[dims])(x, kernel, **to, _random_samples=s.detach()), x, samples)
    check(with_indices, x[0], order=0)
    for name in ("float32", "float16", "bfloat16"):  # torch computes where windows start in the input's dtype
        check(lambda lib, F, x, n=name: with_indices(lib, F, x.to(getattr(lib, n))), x.astype("float32"), order=0)


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("dims", [2, 3])
def test_where_many_windows_start(dims, name):
    """Of an input that counts its elements: an error of rounding puts a window elsewhere."""
    size = (60, 47) if dims == 2 else (3, 20, 47)
    out = (23, 45) if dims == 2 else (1, 7, 33)
    x = np.arange(np.prod(size), dtype="float64").reshape(1, 1, *size).repeat(8, 0)

    def action(lib, F, x):
        x = x.to(getattr(lib, name))
        return getattr(F, NAMES[dims])(x, 2, out, return_indices=True)[1]

    check(action, x, order=0)


@pytest.mark.parametrize("dims", [2, 3])
def test_nan_ties_and_infinities(dims):
    x = np.zeros((1, 2, *(5,) * dims))
    x[0, 0, 1, 1:3], x[0, 0, -1], x[0, 1] = np.nan, np.inf, -np.inf
    x[0, 1, 3, 3, ...] = 1
    check(lambda _, F, x: getattr(F, NAMES[dims])(x, 3, 2, return_indices=True), x, order=0)
    check(lambda _, F, x: getattr(F, NAMES[dims])(x, (2,) * dims, (2,) * dims, return_indices=True), x, order=0)


def test_of_nothing_and_of_channels_last():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6))
    check(lambda _, F, x: F.fractional_max_pool2d(x[:0], 2, 3), x, order=1)
    check(lambda _, F, x: F.fractional_max_pool3d(x[:0, None], 1, (1, 2, 2)), x, order=1)
    for lib in (mt, torch):
        images = lib.from_numpy(x).to(memory_format=lib.channels_last)
        assert lib.nn.functional.fractional_max_pool2d(images, 2, 3).is_contiguous()


def test_with_indices_by_their_names():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6))
    check(lambda _, F, x: F.fractional_max_pool2d_with_indices(x, 2, 3), x, order=1)
    check(lambda _, F, x: F.fractional_max_pool3d_with_indices(x[None], (1, 2, 2), 2), x, order=1)


X, V = np.ones((2, 3, 7, 8)), np.ones((2, 3, 6, 7, 8))
ERRORS = [
    lambda t, F, x, v: F.fractional_max_pool2d(3, 2, 3, _random_samples=x),
    lambda t, F, x, v: F.fractional_max_pool2d(3, 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, output_ratio=0.5),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, output_ratio=(0.5,)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, output_ratio=(0.5, 0.5, 0.5)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, output_ratio=(1.5, 0.5)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, (2, 3, 4), (3, 2)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, (3, 2, 3)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, (2,), 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 7),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 9, 2),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, -1),
    lambda t, F, x, v: F.fractional_max_pool2d(x[0, 0], 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x[0, 0], 2, 3, _random_samples=t.zeros(1, 3, 2)),
    lambda t, F, x, v: F.fractional_max_pool2d(v, 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x[:, :0], 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x[:, :, :0], 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=t.zeros(1, 3, 2).double()),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=t.zeros(2, 3, 3).double()),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=t.zeros(2, 4, 2).double()),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=t.zeros(2, 3).double()),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=t.zeros(2, 3, 2)),
    lambda t, F, x, v: F.fractional_max_pool2d(x, 2, 3, _random_samples=[[[0.5, 0.5]]]),
    lambda t, F, x, v: F.fractional_max_pool2d(x.long(), 2, 3),
    lambda t, F, x, v: F.fractional_max_pool2d(x.long(), 2, 3, _random_samples=t.zeros(2, 3, 2).long()),
    lambda t, F, x, v: F.fractional_max_pool3d(v, 2),
    lambda t, F, x, v: F.fractional_max_pool3d(v, 2, output_ratio=(0.5, 0.5)),
    lambda t, F, x, v: F.fractional_max_pool3d(v, (2, 3), 3),
    lambda t, F, x, v: F.fractional_max_pool3d(v, 2, (3, 3)),
    lambda t, F, x, v: F.fractional_max_pool3d(v, 2, 5),
    lambda t, F, x, v: F.fractional_max_pool3d(v, (2, 9, 2), 2),
    lambda t, F, x, v: F.fractional_max_pool3d(v[0, 0], 2, 3),
    lambda t, F, x, v: F.fractional_max_pool3d(v[:, :0], 2, 3),
    lambda t, F, x, v: F.fractional_max_pool3d(v, 2, 3, _random_samples=t.zeros(2, 3, 2).double()),
    lambda t, F, x, v: t.nn.FractionalMaxPool2d(2),
    lambda t, F, x, v: t.nn.FractionalMaxPool2d(2, 3, 0.5),
    lambda t, F, x, v: t.nn.FractionalMaxPool2d(2, output_ratio=1.5),
    lambda t, F, x, v: t.nn.FractionalMaxPool3d(0, 3),
    lambda t, F, x, v: t.nn.FractionalMaxPool3d((2, 0, 1), 3),
    lambda t, F, x, v: t.nn.FractionalMaxPool3d(2, output_ratio=(0.5, 0.5, 0)),
]


@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X, V)


def test_an_empty_window_is_refused():
    """torch looks outside of the image there."""
    for name, x in (("fractional_max_pool2d", X), ("fractional_max_pool3d", V)):
        with pytest.raises(RuntimeError, match="kernel_size should be greater than zero"):
            getattr(mt.nn.functional, name)(mt.from_numpy(x), 0, 2)


def test_layers_keep_their_samples():
    samples = np.random.default_rng(0).uniform(size=(2, 3, 2)).astype("float32")
    x = np.random.default_rng(1).normal(size=(2, 3, 7, 8)).astype("float32")
    results = []
    for lib in (mt, torch):
        layer = lib.nn.FractionalMaxPool2d((2, 3), output_ratio=0.4, _random_samples=lib.from_numpy(samples))
        assert list(layer.state_dict()) == ["_random_samples"]
        assert not lib.nn.FractionalMaxPool3d(2, 3).state_dict()
        results.append(layer(lib.from_numpy(x)).numpy(force=True) if lib is torch else layer(lib.from_numpy(x)).numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.cpu("the list of the CPU")
def test_under_autocast_it_is_computed_in_float32():
    results = []
    for lib in (mt, torch):
        x = lib.from_numpy(X).bfloat16()
        lib.manual_seed(3)
        with lib.autocast("cpu", dtype=lib.bfloat16):
            y, indices = lib.nn.functional.fractional_max_pool2d(x, 2, 3, return_indices=True)
        assert str(y.dtype) == "torch.float32"
        results.append(indices.numpy())
    np.testing.assert_array_equal(*results)


def test_on_the_gpu():
    rng = np.random.default_rng(0)
    inputs = {2: rng.normal(size=(2, 3, 7, 8)), 3: rng.normal(size=(2, 3, 5, 6, 7))}

    def run(device):
        results = []
        for dims, value in inputs.items():
            x = mt.tensor(value, device=device, requires_grad=True)
            samples = mt.tensor(np.random.default_rng(dims).uniform(size=(2, 3, dims)), device=device)
            y, where = getattr(mt.nn.functional, NAMES[dims])(x, 2, 3, return_indices=True, _random_samples=samples)
            y.square().sum().backward()
            assert y.device == where.device == x.device
            results += [y.detach(), where, x.grad]
        return [host(t._data) for t in results]

    expected = run("cpu")
    with gpu():
        for mine, wanted in zip(run("cuda"), expected, strict=True):
            np.testing.assert_array_equal(mine, wanted)
