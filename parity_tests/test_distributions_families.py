"""What single distributions of minitorch2 do beyond what test_distributions asks of all of them."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt


@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1)), max_size=6),
    st.sampled_from(["float32", "float64"]),
)
def test_drawn_binomials(seed, trials, dtype):
    """Both algorithms, for up to 10 expected successes or failures and from there on; 0 trials, and certain ones."""
    results = []
    for lib in (mt, torch):
        lib.manual_seed(seed)
        count, probs = (lib.tensor([t[i] for t in trials], dtype=getattr(lib, dtype)) for i in (0, 1))
        numbers = lib.distributions.Binomial(count, probs).sample((3,))
        results.append((str(numbers.dtype), numbers.tolist(), lib.get_rng_state().tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_binomials(dtype):
    """As many as it takes to come to the tails, where the ratio of the probabilities is worked out."""
    results = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        count = lib.tensor([25.0, 70.0, 1000.0, 1e6], dtype=getattr(lib, dtype))
        numbers = lib.distributions.Binomial(count, lib.tensor([0.5, 0.3, 0.013, 0.9], dtype=count.dtype)).sample(
            (1500,)
        )
        results.append((numbers.tolist(), lib.get_rng_state().tolist()))
    assert results[0] == results[1]


def test_the_gradient_of_several_wisharts():
    """A matrix of twice the size has samples of twice the size."""
    size = mt.ones((), dtype=mt.float64, requires_grad=True)
    matrix = mt.tensor([[1.0, 0.3], [0.3, 2.0]], dtype=mt.float64)
    for shape in ((), (3,), (2, 20)):
        sample = mt.distributions.Wishart(mt.tensor([3.0, 4.5], dtype=mt.float64), size * matrix).rsample(shape)
        (slope,) = mt.autograd.grad(sample.sum(), size)
        assert slope.item() == pytest.approx(sample.sum().item(), rel=1e-12)


def test_singular_wisharts():
    """Said, and drawn again no more often than one likes; torch says it of every sample."""
    with pytest.warns(UserWarning, match="Low df values detected"):
        narrow = mt.distributions.Wishart(mt.tensor(1.0 + 1e-6), mt.eye(2))
    mt.manual_seed(0)
    with pytest.warns(UserWarning, match="Singular sample detected"):
        narrow.rsample((50,), max_try_correction=1)
    wide = mt.distributions.Wishart(mt.tensor(30.0), mt.eye(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide.rsample((50,))


def test_von_mises_is_exact():
    """The mean over equally spaced angles is an integral of a periodic function to the last digits."""
    angles = mt.arange(64, dtype=mt.float64) * (2 * math.pi / 64)
    for k in (1e-8, 0.3, 3.0, 20.0):
        d = mt.distributions.VonMises(mt.tensor(0.0, dtype=mt.float64), k)
        density = 2 * math.pi * d.log_prob(angles).exp()
        assert density.mean().item() == pytest.approx(1, rel=1e-12)
        assert 1 - (density * angles.cos()).mean().item() == pytest.approx(d.variance.item(), rel=1e-12)


def test_samples_of_nearly_all_directions():
    """Where the formula of the proposal divides 0 by 0; there torch's log_prob has a slope of nan."""
    results = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        k = lib.tensor([1e-9, 1e-6, 1e-4], requires_grad=True)
        d = lib.distributions.VonMises(lib.zeros(3), k)
        results.append(d.sample((50,)).numpy())
        if lib is mt:
            d.log_prob(lib.ones(3)).sum().backward()
            np.testing.assert_allclose(k.grad.numpy(), math.cos(1), rtol=1e-4)
    np.testing.assert_allclose(*results, rtol=5e-6, atol=1e-6)


def exponential_family(lib):
    """The exponential distribution as a program defines it by its natural parameter and log normalizer."""

    class Waiting(lib.distributions.ExponentialFamily):
        arg_constraints = {"rate": lib.distributions.constraints.positive}  # noqa: RUF012
        _mean_carrier_measure = 0

        def __init__(self, rate):
            self.rate = rate
            super().__init__(rate.shape)

        @property
        def _natural_params(self):
            return (-self.rate,)

        def _log_normalizer(self, x):
            return -(-x).log()

    return Waiting


def test_an_exponential_family_of_ones_own():
    def program(lib):
        kl, kind = lib.distributions.kl_divergence, exponential_family(lib)
        p, q = (lib.tensor(x, requires_grad=True) for x in ([0.5, 1.0, 2.0], [2.0, 1.0, 4.0]))
        apart = kl(kind(p), kind(q))
        known = kl(lib.distributions.Exponential(p), lib.distributions.Exponential(q))
        assert (apart - known).abs().max() < 1e-6
        with pytest.raises(NotImplementedError, match="between different exponential families"):
            kl(kind(p), lib.distributions.Exponential(q))
        grads = lib.autograd.grad(apart.sum(), [p, q], allow_unused=True)
        return [kind(p).entropy(), apart, *grads]

    for x, y in zip(program(mt), program(torch), strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-6, atol=1e-7)


@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([(), (2,)]))
def test_low_rank_is_a_multivariate_normal(seed, rank, batch):
    mt.manual_seed(seed)
    loc, factor, value = mt.randn(*batch, 4), mt.randn(4, rank), mt.randn(3, *batch, 4)
    loc, factor, value, diagonal = (x.double() for x in (loc, factor, value, mt.rand(4) + 0.1))
    low = mt.distributions.LowRankMultivariateNormal(loc, factor, diagonal)
    full = mt.distributions.MultivariateNormal(loc, factor @ factor.mT + diagonal.diag_embed())
    names = ("covariance_matrix", "precision_matrix", "scale_tril", "variance")
    for x, y in (
        (low.log_prob(value), full.log_prob(value)),
        (low.entropy(), full.entropy()),
        *((getattr(low, name), getattr(full, name)) for name in names),
    ):
        assert x.shape == y.shape
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-9, atol=1e-9)
    for p, q in ((low, full), (full, low), (low, low)):
        assert mt.distributions.kl_divergence(p, q).abs().max() < 1e-9


def test_a_copula():
    """Uniform numbers that depend on each other: a multivariate normal through the normal distribution's cdf."""

    def program(lib):
        D = lib.distributions
        lib.manual_seed(0)
        base = D.MultivariateNormal(lib.zeros(2), scale_tril=D.LKJCholesky(2).sample())
        copula = D.TransformedDistribution(base, [D.CumulativeDistributionTransform(D.Normal(0.0, 1.0))])
        sample = copula.rsample((5,))
        return [sample, copula.log_prob(sample)]

    for x, y in zip(program(mt), program(torch), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=2e-5)


def test_kl_of_several_wisharts():
    """Each as by itself; torch adds the others' terms to it."""
    matrices = [[[1.0, 0.3], [0.3, 2.0]], [[0.5, -0.1], [-0.1, 0.3]]]
    kl, kind, t = mt.distributions.kl_divergence, mt.distributions.Wishart, mt.tensor
    both = kl(kind(t([3.0, 4.0]), t(matrices)), kind(t([2.0, 5.0]), t(matrices[1])))
    for value, df, other, matrix in zip(both.tolist(), (3.0, 4.0), (2.0, 5.0), matrices, strict=True):
        pairs = ((df, matrix), (other, matrices[1]))
        p, q = (torch.distributions.Wishart(torch.tensor(n), torch.tensor(m)) for n, m in pairs)
        assert value == pytest.approx(torch.distributions.kl_divergence(p, q).item(), rel=1e-5)


@given(st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6))
def test_correlations_of_four(numbers):
    """There, back, and the Jacobian, which is that of the elements below the diagonal."""
    transform, x = mt.distributions.CorrCholeskyTransform(), mt.tensor(numbers, dtype=mt.float64)
    y = transform(x)
    assert transform.codomain.check(y).all()
    np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), rtol=1e-6, atol=1e-9)
    lower = mt.distributions.utils.tril_matrix_to_vec
    matrix = mt.autograd.functional.jacobian(lambda v: lower(transform(v), -1), x)
    expected = np.linalg.slogdet(matrix.numpy())[1]
    assert transform.log_abs_det_jacobian(x, y).item() == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_registered_correlations():
    for lib in (mt, torch):
        D = lib.distributions
        for registry in (D.biject_to, D.transform_to):
            assert repr(registry(D.constraints.corr_cholesky)) == "CorrCholeskyTransform()"


@given(st.lists(st.floats(-2, 2, width=32), min_size=6, max_size=6), st.sampled_from([0, -1, -2]))
def test_triangles_and_vectors(numbers, diag):
    results = []
    for lib in (mt, torch):
        utils, vector = lib.distributions.utils, lib.tensor(numbers)
        matrix = utils.vec_to_tril_matrix(vector, diag)
        results.append([matrix.tolist(), utils.tril_matrix_to_vec(matrix, diag).tolist()])
    assert results[0] == results[1]
    assert results[0][1] == numbers
