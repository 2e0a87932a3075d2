"""Gradients of gamma and Dirichlet samples against derivatives of their distribution functions, in 40 digits."""

import mpmath
import numpy as np
import pytest
import torch

import minitorch2 as mt
from minitorch2_kernels.reference.gamma_samples import dirichlet_grad, standard_gamma_grad

SHAPES = [1e-3, 0.03, 0.5, 1.0, 3.0, 9.0, 80.0, 2e3]
QUANTILES = 6


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(40):
        yield


def gamma_exactly(a, x):
    a, x = mpmath.mpf(float(a)), mpmath.mpf(float(x))
    moved = mpmath.diff(lambda a: mpmath.gammainc(a, 0, x, regularized=True), a)
    return float(-moved / (x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)))


def beta_exactly(a, b, x):
    a, b, x = (mpmath.mpf(float(each)) for each in (a, b, x))
    moved = mpmath.diff(lambda a: mpmath.betainc(a, b, 0, x, regularized=True), a)
    return float(-moved / (x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b)) / (1 - x))


@pytest.mark.parametrize("a", SHAPES)
def test_gamma(a):
    mt.manual_seed(0)
    x = mt.distributions.Gamma(mt.tensor(a, dtype=mt.float64), 1.0).sample((QUANTILES,)).numpy()
    x = x[x > 1e-200]
    expected = [gamma_exactly(a, each) for each in x]
    np.testing.assert_allclose(standard_gamma_grad(np.full_like(x, a), x), expected, rtol=1e-11)
    single = x.astype(np.float32)[x > 1e-30]
    expected = [gamma_exactly(np.float32(a), each) for each in single]
    np.testing.assert_allclose(standard_gamma_grad(np.full_like(single, a), single), expected, rtol=2**-23)


@pytest.mark.parametrize("a", [0.003, 0.1, 1.0, 2.5, 60.0, 2e3])
@pytest.mark.parametrize("b", [0.003, 0.7, 1.0, 3.0, 90.0])
def test_beta(a, b):
    mt.manual_seed(0)
    x = mt.distributions.Beta(mt.tensor(a, dtype=mt.float64), b).sample((QUANTILES,)).numpy()
    x = x[(x > 1e-200) & (x < 1 - 1e-8)]  # beyond, 1 - x has too few digits to compare
    total = np.full_like(x, a) + b
    expected = [beta_exactly(a, n - a, each) for each, n in zip(x, total, strict=True)]
    np.testing.assert_allclose(dirichlet_grad(x, np.full_like(x, a), total), expected, rtol=1e-9)


def test_samples_of_nothing_do_not_move():
    assert standard_gamma_grad(np.array([0.5]), np.array([0.0])).item() == 0.0
    assert dirichlet_grad(np.array([0.0]), np.array([0.5]), np.array([1.0])).item() == 0.0
    assert standard_gamma_grad(np.ones((0, 3)), np.ones((0, 3))).shape == (0, 3)


def test_the_mean_of_many_gradients_is_the_gradient_of_the_mean():
    mt.manual_seed(0)
    a = mt.tensor(2.5, dtype=mt.float64, requires_grad=True)
    mt.distributions.Gamma(a, 2.0).rsample((4_000,)).mean().backward()
    assert a.grad.item() == pytest.approx(0.5, abs=0.03)  # of a / 2
    p = mt.tensor([1.0, 2.0, 3.0], dtype=mt.float64, requires_grad=True)
    mt.distributions.Dirichlet(p).rsample((4_000,))[:, 0].mean().backward()
    np.testing.assert_allclose(p.grad.numpy(), [5 / 36, -1 / 36, -1 / 36], atol=0.01)  # of p[0] / p.sum()


@pytest.mark.parametrize("lib", [mt, torch], ids=["minitorch2", "torch"])
def test_the_gradient_has_no_gradient_in_the_concentration(lib):
    a = lib.tensor([2.0], requires_grad=True)
    (g,) = lib.autograd.grad(lib.distributions.Gamma(a, 1.0).rsample().sum(), a, create_graph=True)
    with pytest.raises((NotImplementedError, RuntimeError), match="not implemented"):
        g.sum().backward()
    p = lib.ones(3, requires_grad=True)
    (g,) = lib.autograd.grad(lib.distributions.Dirichlet(p).rsample()[0], p, create_graph=True)
    with pytest.raises(RuntimeError):
        g.sum().backward()


@pytest.mark.parametrize("lib", [mt, torch], ids=["minitorch2", "torch"])
def test_distribution_functions(lib):
    d = lib.distributions.Gamma(lib.tensor([0.5, 3.0]), lib.tensor([2.0, 1.0]), validate_args=True)
    np.testing.assert_allclose(d.cdf(lib.tensor([0.7, 2.0])).numpy(), [0.9057, 0.3233], atol=1e-4)
    with pytest.raises(ValueError):
        d.cdf(lib.tensor(-1.0))
