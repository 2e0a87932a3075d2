"""nn.utils: weight_norm and spectral_norm, as hooks and as parametrizations, and parametrize itself, against torch's.

Both libraries start from the same parameters and buffers, so that only the rounding of sums differs.
"""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import BOTH, outcome, same

import minitorch2 as mt

LIBRARIES = [mt, torch]
TOLERANCE = {"rtol": 2e-5, "atol": 1e-6}

HOOKS = ["weight_norm", "spectral_norm"]
LAYERS = {
    "Linear": (lambda nn: nn.Linear(4, 3), (2, 4)),
    "Conv1d": (lambda nn: nn.Conv1d(2, 3, 2), (2, 2, 5)),
    "Conv2d": (lambda nn: nn.Conv2d(2, 4, 3, groups=2), (2, 2, 5, 4)),
    "ConvTranspose2d": (lambda nn: nn.ConvTranspose2d(2, 3, 2), (2, 2, 3, 3)),
}


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return function(*args, **kwargs)


def utility(lib, name, parametrized):
    utils = lib.nn.utils
    return getattr(utils.parametrizations if parametrized else utils, name)


def arrays(state):
    return {key: value.detach().clone().numpy() for key, value in state.items()}


def close(ours, theirs):
    """Dicts or lists of arrays, with the same keys in the same order."""
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        ours, theirs = ours.values(), theirs.values()
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, **TOLERANCE)


def train(lib, name, layer, parametrized, steps=3, dtype="float32", **options):
    """A few steps of SGD, one evaluation, and all there is then."""
    make, shape = LAYERS[layer]
    lib.manual_seed(5)
    module = quietly(utility(lib, name, parametrized), make(lib.nn).to(getattr(lib, dtype)), **options)
    start = arrays(module.state_dict())
    optimizer = lib.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        x = lib.randn(*shape, dtype=getattr(lib, dtype))
        (module(x) ** 2).mean().backward()
        optimizer.step()
    module.eval()
    before = arrays(copy.deepcopy(module.state_dict()))
    y = module(lib.ones(*shape, dtype=getattr(lib, dtype)))
    after = arrays(module.state_dict())
    for key, value in before.items():
        np.testing.assert_equal(value, after[key])  # evaluation moves nothing
    assert [p.requires_grad for p in module.parameters()] == [True] * len(list(module.parameters()))
    return [start, after, [y.detach().numpy(), module.weight.detach().numpy(), lib.rand(2).numpy()]]


@pytest.mark.parametrize("parametrized", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", HOOKS)
def test_training(name, layer, parametrized):
    for ours, theirs in zip(*(train(lib, name, layer, parametrized) for lib in LIBRARIES), strict=True):
        close(ours, theirs)


@given(
    name=st.sampled_from(HOOKS),
    layer=st.sampled_from(sorted(LAYERS)),
    parametrized=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    data=st.data(),
)
def test_options(name, layer, parametrized, dtype, data):
    dims = 2 if layer == "Linear" else 3 if layer == "Conv1d" else 4
    if name == "weight_norm":
        options = {"dim": data.draw(st.sampled_from([None, *range(-dims, dims)]))}
    else:
        options = {"n_power_iterations": data.draw(st.integers(1, 3)), "eps": data.draw(st.sampled_from([1e-12, 0.1]))}
        options["dim"] = data.draw(st.sampled_from([None, *range(dims)]))
    results = [train(lib, name, layer, parametrized, steps=1, dtype=dtype, **options) for lib in LIBRARIES]
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("parametrized", [False, True])
@pytest.mark.parametrize("name", HOOKS)
def test_removal(name, parametrized):
    def action(lib):
        lib.manual_seed(1)
        module = quietly(utility(lib, name, parametrized), lib.nn.Linear(3, 2))
        module(lib.ones(1, 3))
        module.eval()
        if parametrized:
            lib.nn.utils.parametrize.remove_parametrizations(module, "weight")
        else:
            getattr(lib.nn.utils, f"remove_{name}")(module)
        assert type(module) is lib.nn.Linear and isinstance(module.weight, lib.nn.Parameter)
        assert not module._forward_pre_hooks and not module._state_dict_hooks
        return arrays(module.state_dict())

    close(*map(action, LIBRARIES))


@pytest.mark.cpu("torch reads a GPU's tensors on a GPU only")
@pytest.mark.parametrize("parametrized", [False, True])
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("giver, taker", [(torch, mt), (mt, torch)], ids=["from torch", "to torch"])
def test_checkpoints_are_exchanged(name, parametrized, giver, taker):
    def made(lib, seed):
        lib.manual_seed(seed)
        return quietly(utility(lib, name, parametrized), lib.nn.Conv2d(2, 3, 2))

    source, target = made(giver, 0), made(taker, 1)
    source(giver.ones(1, 2, 3, 3))
    file = io.BytesIO()
    giver.save(source.state_dict(), file)
    file.seek(0)
    state = taker.load(file)
    assert str(target.load_state_dict(state)) == "<All keys matched successfully>"
    source.eval(), target.eval()
    x = np.linspace(-1, 1, 18, dtype=np.float32).reshape(1, 2, 3, 3)
    close([target(taker.tensor(x)).detach().numpy()], [source(giver.tensor(x)).detach().numpy()])


def test_the_older_weight_norm_loads_into_the_newer():
    lib = mt
    old = quietly(lib.nn.utils.weight_norm, lib.nn.Linear(3, 2))
    new = lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(3, 2))
    assert str(new.load_state_dict(old.state_dict())) == "<All keys matched successfully>"
    np.testing.assert_equal(new.weight.detach().numpy(), old.weight.detach().numpy())


def test_states_of_spectral_norm_before_torch_1_0():
    """They have the weight, and no v; both libraries solve for it."""

    def action(lib):
        lib.manual_seed(0)
        module = lib.nn.utils.spectral_norm(lib.nn.Linear(4, 3))
        state = {
            "bias": lib.zeros(3),
            "weight_orig": lib.arange(12.0).reshape(3, 4).sin(),
            "weight_u": lib.nn.functional.normalize(lib.tensor([1.0, -2.0, 0.5]), dim=0),
        }
        with pytest.raises(RuntimeError, match="Missing key"):
            module.load_state_dict(state)
        state["weight"] = state["weight_orig"] / 1.7
        module.load_state_dict(state)
        module.eval()
        return [module.weight_v.numpy(), module(lib.ones(1, 4)).detach().numpy()]

    for ours, theirs in zip(*map(action, LIBRARIES), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)  # a pseudo-inverse in float32


def test_recurrent_weights():
    def action(lib):
        lib.manual_seed(2)
        rnn = quietly(lib.nn.utils.weight_norm, lib.nn.LSTM(3, 4), "weight_hh_l0")
        y, _ = rnn(lib.randn(5, 2, 3))
        y.sum().backward()
        return [y.detach().numpy(), rnn.weight_hh_l0_g.grad.numpy(), rnn.weight_hh_l0_v.grad.numpy()]

    close(*map(action, LIBRARIES))


def test_two_forward_passes_before_backward():
    """The discriminator of a GAN: loss = D(real) - D(fake)."""

    def action(lib, parametrized):
        lib.manual_seed(2)
        layer = utility(lib, "spectral_norm", parametrized)(lib.nn.Linear(3, 1))
        (layer(lib.ones(2, 3)) - layer(lib.randn(2, 3))).sum().backward()
        return [p.grad.numpy() for p in layer.parameters()]

    for parametrized in (False, True):
        close(*(action(lib, parametrized) for lib in LIBRARIES))


def test_what_both_refuse():
    def actions(lib):
        nn, utils = lib.nn, lib.nn.utils
        new = utils.parametrizations
        twice = quietly(utils.weight_norm, nn.Linear(2, 2)), utils.spectral_norm(nn.Linear(2, 2))
        return [
            lambda: quietly(utils.weight_norm, twice[0]),
            lambda: utils.spectral_norm(twice[1]),
            lambda: utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0),
            lambda: utils.spectral_norm(nn.Linear(2, 2, bias=False), "bias"),
            lambda: utils.remove_weight_norm(nn.Linear(2, 2)),
            lambda: utils.remove_spectral_norm(nn.Linear(2, 2)),
            lambda: new.spectral_norm(nn.Linear(2, 2), n_power_iterations=0),
            lambda: new.spectral_norm(nn.Linear(2, 2), dim=2),
            lambda: new.spectral_norm(nn.Linear(2, 2), "nothing"),
            lambda: new.weight_norm(nn.Linear(2, 2), "nothing"),
        ]

    for ours, theirs in zip(*map(actions, LIBRARIES), strict=True):
        found = outcome(lambda lib, ours=ours, theirs=theirs: (ours if lib is mt else theirs)(), mt)
        assert found == outcome(lambda lib, theirs=theirs: theirs(), torch)
        assert found[0].endswith("Error")


@pytest.mark.parametrize("lib", BOTH)
def test_the_older_ones_warn(lib):
    with pytest.warns(FutureWarning, match="weight_norm` is deprecated"):
        lib.nn.utils.weight_norm(lib.nn.Linear(2, 2))
    with pytest.warns(FutureWarning, match="clip_grad_norm` is now deprecated"):
        lib.nn.utils.clip_grad_norm(lib.nn.Linear(2, 2).parameters(), 1.0)


def kinds(lib):
    """Parametrizations as users write them."""

    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).T

        def right_inverse(self, x):
            return x.triu()

    class Scaled(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = lib.nn.Parameter(lib.tensor(2.0))

        def forward(self, x):
            return x * self.factor

    class LowRank(lib.nn.Module):
        def forward(self, left, right):
            return left @ right

        def right_inverse(self, x):
            return x[:, :1].clone(), x[:1].clone()

    class Wrong(lib.nn.Module):
        def __init__(self, what):
            super().__init__()
            self.what = what

        def forward(self, x):
            return {"shape": x[:1], "dtype": x.double(), "kind": 3, "inverse": x, "no inverse": x}[self.what]

        def right_inverse(self, x):
            if self.what == "no inverse":
                raise NotImplementedError("none")
            return 3 if self.what == "inverse" else x

    return Symmetric, Scaled, LowRank, Wrong


def test_registering_reading_assigning():
    def action(lib):
        Symmetric, Scaled, LowRank, _ = kinds(lib)
        P = lib.nn.utils.parametrize
        lib.manual_seed(0)
        layer = lib.nn.Linear(3, 3)
        first = layer.weight
        assert P.register_parametrization(layer, "weight", Symmetric()) is layer
        assert layer.parametrizations.weight.original is first
        report = [repr(layer), list(layer.state_dict()), P.is_parametrized(layer), P.is_parametrized(layer, "bias")]
        layer.weight = lib.arange(9.0).reshape(3, 3)
        report += [layer.weight, first]
        P.register_parametrization(layer, "weight", Scaled())
        P.register_parametrization(layer, "bias", Scaled())
        (layer(lib.ones(1, 3)) * lib.arange(3.0)).sum().backward()
        report += [layer.weight, [p.grad for p in layer.parameters()], [n for n, _ in layer.named_parameters()]]
        report += [outcome(lambda _: setattr(layer, "weight", lib.ones(3, 3)), lib)]
        P.remove_parametrizations(layer, "weight", leave_parametrized=False)
        report += [type(layer).__name__, layer.weight is first, layer.weight, list(layer.state_dict())]
        P.remove_parametrizations(layer, "bias")
        report += [type(layer) is lib.nn.Linear, layer.bias, hasattr(layer, "parametrizations")]

        low = P.register_parametrization(lib.nn.Linear(2, 3), "weight", LowRank())
        low.weight = lib.ones(3, 2)
        report += [low.weight, list(low.state_dict()), type(low.parametrizations.weight).__name__]
        report += [outcome(lambda _: P.remove_parametrizations(low, "weight", leave_parametrized=False), lib)]
        report += [P.type_before_parametrizations(low) is lib.nn.Linear]
        P.remove_parametrizations(low, "weight")
        report += [low.weight, isinstance(low.weight, lib.nn.Parameter)]
        buffered = lib.nn.BatchNorm1d(2)
        P.register_parametrization(buffered, "running_mean", Scaled())
        report += [list(buffered.state_dict()), [n for n, _ in buffered.named_buffers()]]
        P.remove_parametrizations(buffered, "running_mean")
        report += [sorted(n for n, _ in buffered.named_buffers())]
        return report

    same(action)


def test_checks_of_what_is_registered():
    def action(lib):
        *_, Wrong = kinds(lib)
        P = lib.nn.utils.parametrize
        report = []
        for what in ("shape", "dtype", "kind", "inverse", "no inverse"):
            for unsafe in (False, True):
                layer = lib.nn.Linear(2, 2)
                result = outcome(
                    lambda _, layer=layer, what=what, unsafe=unsafe: str(
                        type(P.register_parametrization(layer, "weight", Wrong(what), unsafe=unsafe)).__name__
                    ),
                    lib,
                )
                on_top = P.register_parametrization(lib.nn.Linear(2, 2), "weight", lib.nn.Identity())
                second = outcome(
                    lambda _, layer=on_top, what=what: str(P.register_parametrization(layer, "weight", Wrong(what))),
                    lib,
                )
                report += [result if isinstance(result, str) else result[0], second[0]]
        report += [outcome(lambda _: P.register_parametrization(lib.nn.Linear(2, 2), "w", Wrong("kind")), lib)]
        report += [outcome(lambda _: P.remove_parametrizations(lib.nn.Linear(2, 2), "weight"), lib)]
        report += [outcome(lambda _: P.ParametrizationList([], lib.ones(1)), lib)]
        return report

    same(action)


def test_cached():
    def action(lib):
        calls = []

        class Counted(lib.nn.Module):
            def forward(self, x):
                calls.append(1)
                return x * 2

        P = lib.nn.utils.parametrize
        layer = P.register_parametrization(lib.nn.Linear(2, 2), "weight", Counted())
        calls.clear()
        with P.cached():
            with P.cached():
                first = layer.weight
            assert layer.weight is first
        inside = len(calls)
        assert layer.weight is not layer.weight
        return inside, len(calls)

    same(action)


@pytest.mark.parametrize("lib", BOTH)
def test_copies_and_pickles(lib):
    P = lib.nn.utils.parametrize
    Symmetric = kinds(lib)[0]
    layer = P.register_parametrization(lib.nn.Linear(2, 2), "weight", Symmetric())
    twin = copy.deepcopy(layer)
    twin.weight = lib.zeros(2, 2)
    assert layer.weight.abs().sum() > 0
    assert P.is_parametrized(twin) and type(twin).__name__ == "ParametrizedLinear"
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)


def test_a_copy_is_independent():
    P = mt.nn.utils.parametrize
    layer = P.register_parametrization(mt.nn.Linear(2, 2), "weight", kinds(mt)[0]())
    P.remove_parametrizations(copy.deepcopy(layer), "weight")
    assert layer.weight.shape == (2, 2)  # torch's loses it


def test_transfer():
    def action(lib):
        P = lib.nn.utils.parametrize
        source, target, other = (lib.nn.Linear(2, 2) for _ in range(3))
        P.register_parametrization(source, "weight", kinds(lib)[1]())
        P.transfer_parametrizations_and_params(source, target)
        P.transfer_parametrizations_and_params(source, other, "weight")
        shared = target.parametrizations.weight.original is source.parametrizations.weight.original
        assert other.weight.tolist() == target.weight.tolist() == source.weight.tolist()
        return list(target.state_dict()), shared

    same(action)
