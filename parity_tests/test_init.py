"""nn.init: the same seed gives torch's numbers, and layers start with torch's weights."""

import warnings

import numpy as np
import pytest
import torch

import minitorch2 as mt

FILLS = {
    "uniform": lambda init, t: init.uniform_(t),
    "uniform_ab": lambda init, t: init.uniform_(t, -0.3, 2.0),
    "constant": lambda init, t: init.constant_(t, 0.1),
    "ones": lambda init, t: init.ones_(t),
    "zeros": lambda init, t: init.zeros_(t),
    "eye": lambda init, t: init.eye_(t),
    "dirac": lambda init, t: init.dirac_(t),
    "dirac_groups": lambda init, t: init.dirac_(t, 2),
    "xavier_uniform": lambda init, t: init.xavier_uniform_(t, gain=1.7),
    "kaiming_uniform": lambda init, t: init.kaiming_uniform_(t),
    "kaiming_uniform_relu": lambda init, t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
    "normal": lambda init, t: init.normal_(t),
    "normal_std": lambda init, t: init.normal_(t, 3.0, 0.2),
    "xavier_normal": lambda init, t: init.xavier_normal_(t),
    "kaiming_normal": lambda init, t: init.kaiming_normal_(t, a=0.3),
    "trunc_normal": lambda init, t: init.trunc_normal_(t, std=0.02),
    "trunc_normal_inside": lambda init, t: init.trunc_normal_(t, 0.5, 1.5, -1.0, 1.0),
    "trunc_normal_tail": lambda init, t: init.trunc_normal_(t, 0.0, 1.0, 1.5, 3.0),
    "sparse": lambda init, t: init.sparse_(t, 0.3),
    "orthogonal": lambda init, t: init.orthogonal_(t, gain=2),
}
SHAPES = [(7,), (5, 4), (4, 6), (64, 33), (4, 2, 3), (6, 2, 3, 3), (4, 4, 2, 3, 3), (0, 3), (3, 0), ()]


def fill(lib, name, shape, dtype="float32"):
    """(the filled array, a fresh draw that shows how far the generator went), or the error."""
    lib.manual_seed(42)
    tensor = lib.empty(shape, dtype=getattr(lib, dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = FILLS[name](lib.nn.init, tensor)
        except Exception as error:
            return type(error).__name__, str(error)
    assert result is tensor
    return tensor.numpy(), lib.rand(3).numpy()


def compare(name, shape, dtype, rtol):
    ours, theirs = fill(mt, name, shape, dtype), fill(torch, name, shape, dtype)
    if isinstance(theirs[0], str):
        assert ours == theirs
        return
    assert ours[0].dtype == theirs[0].dtype
    np.testing.assert_allclose(ours[0], theirs[0], rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(ours[1], theirs[1])


EXACT = [name for name in FILLS if not any(word in name for word in ("normal", "sparse", "orthogonal"))]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bit_for_bit(name, shape, dtype):
    compare(name, shape, dtype, rtol=0)


@pytest.mark.parametrize("name", [name for name in FILLS if name not in EXACT])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_draws(name, shape, dtype):
    # The logarithm, the cosine and (orthogonal) the QR factorisation round differently; the draws agree.
    precision = 2e-6 if dtype == "float32" else 1e-12
    compare(name, shape, dtype, precision if name != "orthogonal" else 20 * precision)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal_is_orthogonal(shape):
    matrix = mt.nn.init.orthogonal_(mt.empty(shape)).numpy().reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


@pytest.mark.cpu("the generator is the CPU's")
def test_generator_argument():
    for lib in (mt, torch):
        lib.manual_seed(0)
    ours = mt.nn.init.kaiming_uniform_(mt.empty(3, 4), generator=mt.Generator().manual_seed(7))
    theirs = torch.nn.init.kaiming_uniform_(torch.empty(3, 4), generator=torch.Generator().manual_seed(7))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_array_equal(mt.rand(2).numpy(), torch.rand(2).numpy())


def test_works_on_parameters_and_is_not_recorded():
    parameter = mt.nn.Parameter(mt.empty(3, 3))
    for name in (
        "uniform_",
        "normal_",
        "xavier_uniform_",
        "kaiming_normal_",
        "orthogonal_",
        "eye_",
        "trunc_normal_",
    ):
        assert getattr(mt.nn.init, name)(parameter) is parameter
        assert parameter.is_leaf and parameter.requires_grad


@pytest.mark.parametrize(
    "arguments",
    [
        ("linear",),
        ("conv2d",),
        ("sigmoid",),
        ("tanh",),
        ("relu",),
        ("leaky_relu",),
        ("leaky_relu", 0.2),
        ("leaky_relu", 1),
        ("leaky_relu", True),
        ("leaky_relu", "x"),
        ("selu",),
        ("softsign",),
    ],
)
def test_calculate_gain(arguments):
    results = []
    for lib in (mt, torch):
        try:
            results.append(lib.nn.init.calculate_gain(*arguments))
        except ValueError as error:
            results.append(str(error))
    assert results[0] == results[1]


@pytest.mark.parametrize("mode", ["FAN_IN", "fan_out", "fan"])
def test_kaiming_modes(mode):
    results = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        try:
            results.append(lib.nn.init.kaiming_uniform_(lib.empty(3, 4), mode=mode).tolist())
        except ValueError as error:
            results.append(str(error))
    assert results[0] == results[1]


def test_warnings():
    with pytest.warns(UserWarning, match="zero-element"):
        mt.nn.init.kaiming_uniform_(mt.empty(0, 3))
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        mt.nn.init.trunc_normal_(mt.empty(3), mean=9.0)
    with pytest.warns(FutureWarning, match=r"`nn\.init\.uniform` is now deprecated in favor of `nn\.init\.uniform_`"):
        mt.nn.init.uniform(mt.empty(3))


LAYERS = [
    lambda nn: nn.Linear(20, 30),
    lambda nn: nn.Linear(3, 5, bias=False),
    lambda nn: nn.Bilinear(3, 4, 5),
    lambda nn: nn.Conv1d(4, 6, 3, groups=2),
    lambda nn: nn.Conv2d(3, 8, (3, 5)),
    lambda nn: nn.ConvTranspose1d(4, 6, 3),
    lambda nn: nn.ConvTranspose2d(4, 6, 3, groups=2),
    lambda nn: nn.BatchNorm2d(3),
    lambda nn: nn.LayerNorm((2, 3)),
    lambda nn: nn.GroupNorm(2, 4),
    lambda nn: nn.RMSNorm(4),
    lambda nn: nn.PReLU(3),
    lambda nn: nn.InstanceNorm1d(3, affine=True, track_running_stats=True),
    lambda nn: nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.Flatten(), nn.Linear(128, 10)),
]


@pytest.mark.parametrize("make", LAYERS)
def test_layers_start_with_torchs_weights(make):
    states = []
    for lib in (mt, torch):
        lib.manual_seed(3)
        states.append({name: t.numpy() for name, t in make(lib.nn).state_dict().items()})
    assert list(states[0]) == list(states[1])
    for name, array in states[1].items():
        np.testing.assert_array_equal(states[0][name], array)


def test_embedding_starts_with_torchs_weights():
    tables = []
    for lib in (mt, torch):
        lib.manual_seed(3)
        tables.append(lib.nn.Embedding(10, 7, padding_idx=2).weight.detach().numpy())
    np.testing.assert_allclose(tables[0], tables[1], rtol=2e-6, atol=2e-6)  # normal draws: see above
    assert not tables[0][2].any()
