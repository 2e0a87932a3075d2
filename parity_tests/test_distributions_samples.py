"""Samples of minitorch2.distributions: torch's own from equal seeds, and the state of the generator afterwards.

Where a sample goes through exp, log or a sum of products, the two libraries round that in the last bit.
"""

import numpy as np
import pytest
import torch
from distribution_cases import CASES, both
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu

import minitorch2 as mt

# torch says of all its Wishart samples that they are singular
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected:UserWarning")

# drawn by the generator alone, or by one division or product more: equal bit for bit
EXACT = {
    "Normal",
    "Normal of a number",
    "HalfNormal",
    "Uniform",
    "Exponential",
    "Cauchy",
    "Bernoulli",
    "Categorical",
    "Geometric",
    "OneHotCategorical",
    "Multinomial",
    "Poisson",
    "Binomial",
    "Binomial of one count",
    "NegativeBinomial",
    "HalfCauchy",
    "FisherSnedecor",
    "Gamma",
    "Chi2",
    "Beta",
    "Dirichlet",
    "Independent",
    "mixture",
}
# in float32 the rounding of a root of 1 - (nearly 1)
CANCELLED = {"LKJCholesky", "LKJCholesky of two"}
ROUNDING = {"rtol": 5e-6, "atol": 1e-6}
SHAPES = [(), (3,), (2, 20)]


def drawn(lib, distribution, how):
    lib.manual_seed(5)
    samples = [getattr(distribution, how)(shape) for shape in SHAPES]
    return samples, lib.get_rng_state().tolist()


def agree(name, ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.requires_grad == theirs.requires_grad
    tolerance = {"rtol": 0, "atol": 0} if name in EXACT else ROUNDING
    if name in CANCELLED and str(ours.dtype).endswith("float32"):
        tolerance = {"rtol": 0, "atol": 1e-4}
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_samples(name, dtype):
    ours, theirs, _, _ = both(name, dtype, requires_grad=True)
    (xs, state), (ys, expected_state) = drawn(mt, ours, "sample"), drawn(torch, theirs, "sample")
    for x, y in zip(xs, ys, strict=True):
        agree(name, x, y)
    assert state == expected_state


WITH_GRADIENT = sorted(name for name in CASES if both(name)[0].has_rsample)


def test_which_samples_have_gradients():
    assert set(WITH_GRADIENT) == {name for name in CASES if both(name)[1].has_rsample}


# How these move with a concentration torch approximates, to a thousandth; ours is exact (test_gamma_samples.py).
APPROXIMATED = {"Gamma", "Chi2", "Beta", "Dirichlet", "StudentT", "FisherSnedecor", "InverseGamma"}
APPROXIMATED |= {"Wishart", "Wishart by scale_tril", "Wishart of a number"}


@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_rsample_and_its_gradient(name):
    ours, theirs, p, q = both(name, "float64", requires_grad=True)
    (xs, state), (ys, expected_state) = drawn(mt, ours, "rsample"), drawn(torch, theirs, "rsample")
    assert state == expected_state
    for shape, x, y in zip(SHAPES, xs, ys, strict=True):
        agree(name, x, y)
        if shape and name.startswith("Wishart"):  # torch writes over what its backward needs
            continue
        grads = [
            lib.autograd.grad((s**2).sum(), parameters, allow_unused=True, retain_graph=True)
            for lib, s, parameters in ((mt, x, p), (torch, y, q))
        ]
        for ours_g, theirs_g in zip(*grads, strict=True):
            assert (ours_g is None) == (theirs_g is None)
            if ours_g is not None:
                limits = {"rtol": 1e-9, "atol": 1e-10}
                if name in APPROXIMATED:
                    limits = {"rtol": 1e-2 if name == "FisherSnedecor" else 2e-3, "atol": 1e-10}
                np.testing.assert_allclose(ours_g.numpy(), theirs_g.numpy(), **limits)


@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0, 60), max_size=6),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
)
def test_drawn_poissons(seed, rates, dtype, own_generator):
    """torch.poisson: both algorithms, below and from 10 on, and rates of 0."""
    results = []
    for lib in (mt, torch):
        lib.manual_seed(seed)
        generator = lib.Generator().manual_seed(seed + 1) if own_generator else None
        rate = lib.tensor(rates, dtype=getattr(lib, dtype))
        numbers = lib.poisson(rate.expand(3, len(rates)), generator=generator)
        results.append((str(numbers.dtype), numbers.tolist(), lib.get_rng_state().tolist()))
    assert results[0] == results[1]


@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0.0078125, 200, width=32), min_size=1, max_size=6),
    st.sampled_from(["float32", "float64"]),
)
def test_drawn_gammas_and_dirichlets(seed, concentrations, dtype):
    results = []
    for lib in (mt, torch):
        lib.manual_seed(seed)
        lib.randn(3)  # an odd number, so that a normal is left over
        c = lib.tensor(concentrations, dtype=getattr(lib, dtype))
        samples = [lib.distributions.Gamma(c, 1.0).sample((2,)), lib.distributions.Dirichlet(c).sample((2,))]
        results.append([*(s.tolist() for s in samples), lib.get_rng_state().tolist()])
    assert results[0][0] == results[1][0]
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=3e-7 if dtype == "float32" else 1e-15)
    assert results[0][2] == results[1][2]


def test_poisson_of_what_it_does_not_take():
    for lib in (mt, torch):
        with pytest.raises(RuntimeError, match="invalid Poisson rate, expected rate to be non-negative"):
            lib.poisson(lib.tensor([1.0, -1.0]))
        with pytest.raises(NotImplementedError, match="\"poisson_cpu\" not implemented for 'Long'"):
            lib.poisson(lib.tensor([1, 2]))
        rate = lib.tensor([3.0], requires_grad=True)
        lib.poisson(rate).sum().backward()
        assert rate.grad.tolist() == [0.0]


def test_a_transposed_rate_is_gone_through_row_by_row():
    results = []
    for lib in (mt, torch):
        lib.manual_seed(1)
        rate = lib.arange(12.0).reshape(3, 4).t()
        results.append([lib.poisson(rate).tolist(), lib.distributions.Poisson(rate).sample((2,)).tolist()])
    assert results[0] == results[1]


def test_on_a_gpu():
    """Densities and their gradients as on the CPU; what is drawn there has the device and the dtype; refusals."""
    with gpu():
        D = mt.distributions
        for make, parameters in (
            (D.Normal, ([0.5, -1.0], [1.0, 2.0])),
            (D.Laplace, ([0.5, -1.0], [1.0, 2.0])),
            (D.Uniform, ([0.5, -1.0], [1.0, 2.0])),
            (D.Gumbel, ([0.5, -1.0], [1.0, 2.0])),
            (D.Gamma, ([0.5, 1.0], [1.0, 2.0])),
            (D.Pareto, ([0.5, 0.2], [1.0, 2.0])),
            (D.Weibull, ([0.5, 0.2], [1.0, 2.0])),
            (D.Kumaraswamy, ([0.5, 0.2], [1.0, 2.0])),
            (D.HalfCauchy, ([0.5, 0.2],)),
            (D.GeneralizedPareto, ([0.5, 0.2], [1.0, 2.0], [0.0, 0.3])),
            (D.ContinuousBernoulli, ([0.5, 0.2],)),
            (D.Bernoulli, ([0.5, 0.2],)),
            (D.Categorical, ([0.5, 0.2, 0.3],)),
        ):
            grads = []
            for device in ("cpu", "cuda"):
                p = [mt.tensor(x, device=device, requires_grad=True) for x in parameters]
                d = make(*p)
                value = mt.tensor([1.0, 1.0] if make is D.Categorical else [0.75, 0.9], device=device)
                value = value.round() if make is D.Bernoulli else value
                assert d.log_prob(value).device.type == device
                (d.log_prob(value).sum() + d.entropy().sum()).backward()
                grads.append([x.grad.cpu().numpy() for x in p])
            for a, b in zip(*grads, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
            if make is D.Gamma:
                with pytest.raises(NotImplementedError, match="on a GPU is not supported"):
                    d.sample()
                continue
            assert d.sample((3,)).device.type == "cuda"
            if d.has_rsample:
                assert d.rsample((3,)).device.type == "cuda"
        half, ones = mt.tensor(0.5, device="cuda"), mt.ones(2, device="cuda")
        for d in (D.VonMises(half, half), D.LowRankMultivariateNormal(ones, ones[:, None], ones)):
            assert d.sample((3,)).device.type == "cuda"
        for d in (
            D.Binomial(3, half),
            D.NegativeBinomial(3, half),
            D.LKJCholesky(2, half),
            D.Wishart(3.0, ones.diag()),
        ):
            with pytest.raises(NotImplementedError, match="on a GPU is not supported"):
                d.sample()


def actor_critic(lib, continuous):
    """Steps of policy gradient with a value baseline and an entropy bonus; the losses and the parameters left."""
    nn, D, F = lib.nn, lib.distributions, lib.nn.functional
    lib.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 16), nn.Tanh())
    actor, critic = nn.Linear(16, 2), nn.Linear(16, 1)
    log_std = nn.Parameter(lib.zeros(2))
    parameters = [*body.parameters(), *actor.parameters(), *critic.parameters(), log_std]
    optimizer = lib.optim.Adam(parameters, lr=0.01)
    losses = []
    for _ in range(5):
        state = lib.randn(8, 4)
        features = body(state)
        if continuous:
            policy = D.Independent(D.Normal(actor(features), log_std.exp()), 1)
            action = policy.sample()
            reward = -((action - state[:, :2]) ** 2).sum(-1)
        else:
            policy = D.Categorical(logits=actor(features))
            action = policy.sample()
            reward = (action == (state[:, 0] > 0).long()).float()
        value = critic(features).squeeze(-1)
        advantage = (reward - value).detach()
        loss = (
            -(policy.log_prob(action) * advantage).mean() + F.mse_loss(value, reward) - 0.01 * policy.entropy().mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy() for p in parameters]


def variational(lib):
    """Steps of a variational autoencoder's: rsample, a likelihood, and kl_divergence to the prior."""
    nn, D = lib.nn, lib.distributions
    lib.manual_seed(0)
    encoder, decoder = nn.Linear(6, 8), nn.Linear(4, 6)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = lib.optim.SGD(parameters, lr=0.05)
    prior = D.Independent(D.Normal(lib.zeros(4), lib.ones(4)), 1)
    losses = []
    for _ in range(5):
        x = lib.rand(10, 6).round()
        mean, log_std = encoder(x).chunk(2, -1)
        posterior = D.Independent(D.Normal(mean, log_std.exp()), 1)
        z = posterior.rsample()
        likelihood = D.Independent(D.Bernoulli(logits=decoder(z)), 1).log_prob(x)
        loss = (D.kl_divergence(posterior, prior.expand((10,))) - likelihood).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy() for p in parameters]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(lambda lib: actor_critic(lib, False), id="actor-critic, Categorical"),
        pytest.param(lambda lib: actor_critic(lib, True), id="actor-critic, Normal"),
        pytest.param(variational, id="variational autoencoder"),
    ],
)
def test_programs(program):
    (ours, p), (theirs, q) = program(mt), program(torch)
    assert ours == pytest.approx(theirs, rel=1e-5)
    for x, y in zip(p, q, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
