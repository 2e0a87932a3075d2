"""kl_divergence, transforms and constraints of minitorch2.distributions against torch's."""

import math

import numpy as np
import pytest
import torch
from side_by_side import BOTH, neutral, outcome, same

import minitorch2 as mt

# Differences of large terms: the last digits of float64 go with them; torch's digamma is good to 1e-10.
CLOSE = {"rtol": 1e-8, "atol": 1e-9}

MISSING = "not implemented"

# name -> (make(torch.distributions, a, b), parameters of p, parameters of q)
FAMILIES = {
    "Normal": (lambda D, a, b: D.Normal(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "LogNormal": (lambda D, a, b: D.LogNormal(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "HalfNormal": (lambda D, a, b: D.HalfNormal(b), ([0.0], [1.0, 0.3]), ([0.0], [0.5, 2.0])),
    "Laplace": (lambda D, a, b: D.Laplace(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "Cauchy": (lambda D, a, b: D.Cauchy(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "Gumbel": (lambda D, a, b: D.Gumbel(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "Uniform": (lambda D, a, b: D.Uniform(a, a + b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [1.5, 2.0])),
    "Exponential": (lambda D, a, b: D.Exponential(b), ([0.0], [1.0, 0.3]), ([0.0], [0.5, 2.0])),
    "Gamma": (lambda D, a, b: D.Gamma(a, b), ([0.5, 3.0], [1.0, 0.3]), ([1.1, 2.0], [0.5, 2.0])),
    "Chi2": (lambda D, a, b: D.Chi2(a), ([0.5, 3.0], [1.0]), ([1.1, 2.0], [0.5])),
    "Beta": (lambda D, a, b: D.Beta(a, b), ([0.5, 3.0], [1.0, 0.3]), ([1.1, 2.0], [0.5, 2.0])),
    "Dirichlet": (lambda D, a, b: D.Dirichlet(a), ([0.5, 3.0], [1.0]), ([1.1, 2.0], [0.5])),
    "Poisson": (lambda D, a, b: D.Poisson(a), ([0.5, 30.0], [1.0]), ([1.1, 2.0], [0.5])),
    "Geometric": (lambda D, a, b: D.Geometric(a), ([0.5, 0.1], [1.0]), ([0.3, 0.9], [0.5])),
    "Bernoulli": (lambda D, a, b: D.Bernoulli(a), ([0.0, 0.1], [1.0]), ([0.3, 0.9], [0.5])),
    "Categorical": (lambda D, a, b: D.Categorical(a), ([0.0, 0.3], [1.0]), ([0.3, 0.9], [0.5])),
    "OneHotCategorical": (lambda D, a, b: D.OneHotCategorical(logits=a), ([0.0, 0.3], [1.0]), ([0.3, 0.9], [0.5])),
    "MultivariateNormal": (
        lambda D, a, b: D.MultivariateNormal(a, b),
        ([0.5, -1.0], [[1.0, 0.3], [0.3, 2.0]]),
        ([[0.5, 1.0], [0.0, 0.0]], [[0.5, -0.1], [-0.1, 0.3]]),
    ),
    "LowRankMultivariateNormal": (
        lambda D, a, b: D.LowRankMultivariateNormal(a, b[:, :1], b[:, 1] ** 2),
        ([0.5, -1.0], [[1.0, 0.3], [0.3, 2.0]]),
        ([[0.5, 1.0], [0.0, 0.0]], [[0.5, -0.1], [-0.1, 0.3]]),
    ),
    "Wishart": (
        lambda D, a, b: D.Wishart(a, b),
        (2.5, [[1.0, 0.3], [0.3, 2.0]]),
        (3.0, [[0.5, -0.1], [-0.1, 0.3]]),
    ),
    "Binomial": (lambda D, a, b: D.Binomial(b, a), ([0.5, 0.1], [3.0, 4.0]), ([0.3, 0.9], [3.0, 2.0])),
    "ContinuousBernoulli": (lambda D, a, b: D.ContinuousBernoulli(a), ([0.5, 0.1], [1.0]), ([0.3, 0.9], [0.5])),
    "Pareto": (lambda D, a, b: D.Pareto(b, a), ([0.5, 3.0], [1.0, 0.3]), ([1.1, 2.0], [0.5, 0.1])),
    "HalfCauchy": (lambda D, a, b: D.HalfCauchy(b), ([0.0], [1.0, 0.3]), ([0.0], [0.5, 2.0])),
    "InverseGamma": (lambda D, a, b: D.InverseGamma(a, b), ([0.5, 3.0], [1.0, 0.3]), ([1.1, 2.0], [0.5, 2.0])),
    "Weibull": (lambda D, a, b: D.Weibull(a, b), ([0.5, 3.0], [1.0, 0.3]), ([1.1, 2.0], [0.5, 2.0])),
    "LogisticNormal": (lambda D, a, b: D.LogisticNormal(a, b), ([0.5, -1.0], [1.0, 0.3]), ([0.1, 2.0], [0.5, 2.0])),
    "Independent": (
        lambda D, a, b: D.Independent(D.Normal(a, b), 1),
        ([0.5, -1.0], [1.0, 0.3]),
        ([0.1, 2.0], [0.5, 2.0]),
    ),
    "squashed": (
        lambda D, a, b: D.TransformedDistribution(D.Normal(a, b), [D.TanhTransform()]),
        ([0.5, -1.0], [1.0, 0.3]),
        ([0.1, 2.0], [0.5, 2.0]),
    ),
}


def of_family(lib, name, which):
    make, *parameters = FAMILIES[name]
    tensors = [lib.tensor(x, dtype=lib.float64, requires_grad=True) for x in parameters[which]]
    return make(lib.distributions, *tensors), tensors


@pytest.mark.parametrize("name_p", FAMILIES)
def test_kl_divergence(name_p):
    """From every family: torch's number and gradient, or NotImplementedError where torch has none."""
    for name_q in FAMILIES:
        (ours, *our_grads), (theirs, *their_grads) = (divergence(lib, name_p, name_q) for lib in (mt, torch))
        if ours is MISSING or theirs is MISSING:
            assert ours is theirs, name_q
            continue
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **CLOSE, err_msg=name_q)
        for x, y in zip(our_grads, their_grads, strict=True):
            # Where the divergence is infinite, its gradient is 0 or nan, as the branches of a where() have it.
            x, y = (0.0 if g is None else np.nan_to_num(g.numpy()) for g in (x, y))
            np.testing.assert_allclose(x, y, **CLOSE, err_msg=name_q)


def divergence(lib, name_p, name_q):
    """[kl_divergence(p, q), the gradients of its finite elements], or [MISSING]."""
    (p, a), (q, b) = of_family(lib, name_p, 0), of_family(lib, name_q, 1)
    try:
        kl = lib.distributions.kl_divergence(p, q)
    except NotImplementedError:
        return [MISSING]
    finite = kl[~kl.isinf()].sum()
    return [kl, *(lib.autograd.grad(finite, a + b, allow_unused=True) if kl.requires_grad else [])]


def test_kl_of_what_cannot_be():
    inf = math.inf
    for lib in (mt, torch):
        D, t, kl = lib.distributions, lib.tensor, lib.distributions.kl_divergence
        assert kl(D.Categorical(t([0.5, 0.5])), D.Categorical(t([1.0, 0.0]))).item() == inf
        assert kl(D.Bernoulli(t([0.5, 0.0, 1.0])), D.Bernoulli(t([0.0, 0.0, 1.0]))).tolist() == [inf, 0, 0]
        assert kl(D.Uniform(0.0, 2.0), D.Uniform(0.0, 1.0)).item() == inf
        with pytest.raises(NotImplementedError, match="for p type Normal and q type Cauchy"):
            kl(D.Normal(0.0, 1.0), D.Cauchy(0.0, 1.0))
        with pytest.raises(NotImplementedError):
            kl(D.Independent(D.Normal(t([0.0]), 1.0), 1), D.Independent(D.Normal(t([0.0]), 1.0), 0))
        with pytest.raises(NotImplementedError):
            a, b = (D.TransformedDistribution(D.Normal(0.0, 1.0), D.AffineTransform(0.0, s)) for s in (1.0, 2.0))
            kl(a, b)
        with pytest.raises(ValueError, match="different event shapes cannot be computed"):
            kl(*(D.MultivariateNormal(lib.zeros(n), lib.eye(n)) for n in (2, 3)))
        low = [D.LowRankMultivariateNormal(lib.zeros(n), lib.ones(n, 1), lib.ones(n)) for n in (2, 3)]
        with pytest.raises(ValueError, match="two Low Rank Multivariate Normals"):
            kl(*low)
        with pytest.raises(ValueError, match=r"two \(Low Rank\) Multivariate Normals"):
            kl(low[0], D.MultivariateNormal(lib.zeros(3), lib.eye(3)))


@pytest.mark.parametrize("lib", BOTH)
def test_register_kl(lib):
    D = lib.distributions

    class Mine(D.Normal): ...

    class Nearer(Mine): ...

    @D.register_kl(Mine, D.Normal)
    def of_mine(p, q):
        return 1

    @D.register_kl(Mine, Mine)
    def of_two(p, q):
        return 2

    normal, mine, nearer = (kind(0.0, 1.0) for kind in (D.Normal, Mine, Nearer))
    assert [D.kl_divergence(p, q) for p, q in ((mine, normal), (mine, mine), (nearer, mine))] == [1, 2, 2]
    assert D.kl_divergence(normal, mine).item() == 0

    @D.register_kl(D.Normal, Nearer)
    def of_another(p, q):
        return 3

    with pytest.warns(RuntimeWarning, match="Ambiguous kl_divergence"):
        assert D.kl_divergence(mine, nearer) == 2


def test_register_kl_of_no_distribution():
    """A class of another kind may be registered, as packages do for distributions of their own; no other thing."""

    class Delta:
        pass

    for lib in (mt, torch):
        lib.distributions.register_kl(Delta, lib.distributions.Normal)(lambda p, q: 7)
        assert lib.distributions.kl_divergence(Delta(), lib.distributions.Normal(0.0, 1.0)) == 7
        with pytest.raises(TypeError):
            lib.distributions.register_kl(Delta(), lib.distributions.Normal)


TRANSFORMS = {
    "exp": lambda D, t: D.ExpTransform(),
    "inverse of exp": lambda D, t: D.ExpTransform().inv,
    "sigmoid": lambda D, t: D.SigmoidTransform(),
    "tanh": lambda D, t: D.TanhTransform(),
    "softplus": lambda D, t: D.SoftplusTransform(),
    "abs": lambda D, t: D.AbsTransform(),
    "power": lambda D, t: D.PowerTransform(t(2.0)),
    "affine": lambda D, t: D.AffineTransform(t([1.0, 2.0, 3.0]), t([-1.0, 2.0, 0.5])),
    "affine of numbers": lambda D, t: D.AffineTransform(1, -2),
    "affine of vectors": lambda D, t: D.AffineTransform(t([1.0, 2.0, 3.0]), t([-1.0, 2.0, 0.5]), event_dim=1),
    "softmax": lambda D, t: D.SoftmaxTransform(),
    "sticks": lambda D, t: D.StickBreakingTransform(),
    "correlations": lambda D, t: D.CorrCholeskyTransform(),
    "cumulative": lambda D, t: D.CumulativeDistributionTransform(D.Normal(t([1.0, 2.0, 1.0]), 2.0)),
    "side by side": lambda D, t: D.CatTransform([D.ExpTransform(), D.AffineTransform(1.0, t(2.0))], -1, [1, 2]),
    "vectors side by side": lambda D, t: D.CatTransform(
        [D.SoftmaxTransform(), D.AffineTransform(1.0, t(2.0), event_dim=1)], dim=0
    ),
    "parts of a vector": lambda D, t: D.CatTransform(
        [D.StickBreakingTransform().inv, D.SigmoidTransform()][1:] * 2, -1, lengths=[2, 1]
    ),
    "an event of parts": lambda D, t: D.CatTransform(
        [D.IndependentTransform(D.ExpTransform(), 1), D.TanhTransform()], 1, lengths=[2, 1]
    ),
    "stacked": lambda D, t: D.StackTransform([D.ExpTransform(), D.SigmoidTransform(), D.AffineTransform(1, 2)], dim=1),
    "stacked vectors": lambda D, t: D.StackTransform([D.SoftmaxTransform(), D.AffineTransform(0, t(2.0), 1)]),
    "independent": lambda D, t: D.IndependentTransform(D.ExpTransform(), 1),
    "reshaped": lambda D, t: D.ReshapeTransform((3,), (3, 1)),
    "composed": lambda D, t: D.ComposeTransform(
        [D.TanhTransform(), D.AffineTransform(t(2.0), t(3.0)), D.ExpTransform()]
    ),
    "composed of several dims": lambda D, t: D.ComposeTransform([D.SigmoidTransform(), D.StickBreakingTransform()]),
    "composed of nothing": lambda D, t: D.ComposeTransform([]),
    "inverse of a composed one": lambda D, t: D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)]).inv,
}


@pytest.mark.parametrize("what", TRANSFORMS)
def test_transforms(what):
    def attempt(function, *args):
        try:
            return function(*args)
        except NotImplementedError:
            return MISSING

    def program(lib):
        t, twin = (TRANSFORMS[what](lib.distributions, lib.tensor) for _ in range(2))
        x = lib.tensor([[0.3, 1.1, 0.7], [1.9, 2.5, 1.2]], requires_grad=True)
        y = t(x)
        jacobian = attempt(t.log_abs_det_jacobian, x, y)
        plain = [repr(t), repr(t.domain), repr(t.codomain), t.bijective, attempt(getattr, t, "sign"), t == twin]
        plain += [tuple(t.forward_shape((2, 3))), tuple(t.inverse_shape(y.shape))]
        numbers = [t.inv(y), y, lib.autograd.grad(y.sum(), x, retain_graph=True)[0]]
        if jacobian is not MISSING:
            numbers.append(jacobian)
        cached = t.with_cache()
        assert cached.inv(cached(x)) is x or what in ("abs", "inverse of exp", "inverse of a composed one")
        return plain, numbers

    (ours, xs), (theirs, ys) = program(mt), program(torch)
    assert neutral(str(ours)) == str(theirs)
    for x, y in zip(xs, ys, strict=True):
        assert tuple(x.shape) == tuple(y.shape)
        # An inverse magnifies the last digit of what it is given: sticks take 1 - (nearly 1).
        tolerance = {"rtol": 3e-5} if x is xs[0] else {"rtol": 5e-6, "atol": 5e-7}
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), **tolerance)


def test_jacobians_are_those_of_autograd():
    D = mt.distributions
    x = mt.tensor([0.3, -1.1, 0.7], dtype=mt.float64)
    for t in (D.StickBreakingTransform(), D.ComposeTransform([D.SigmoidTransform(), D.StickBreakingTransform()])):
        matrix = mt.autograd.functional.jacobian(lambda v, t=t: t(v)[..., :-1], x)
        expected = np.linalg.slogdet(matrix.numpy())[1]
        value = t.log_abs_det_jacobian(x, t(x))
        assert value.sum().item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("lib", BOTH)
def test_the_cache_keeps_what_the_inverse_would_lose(lib):
    D = lib.distributions
    far = lib.tensor([20.0])
    kept, lost = D.TanhTransform(cache_size=1), D.TanhTransform()
    assert kept.inv(kept(far)) is far
    assert lost.inv(lost(far)).isinf().all()
    squashed = D.TransformedDistribution(D.Normal(lib.zeros(1), 30.0), [kept])
    sample = squashed.rsample((50,))
    assert squashed.log_prob(sample).isfinite().all()


def test_a_transform_of_ones_own():
    """As programs of reinforcement learning write it: a squashed policy with a mean."""

    def program(lib):
        D = lib.distributions

        class Squash(D.transforms.Transform):
            domain = D.constraints.real
            codomain = D.constraints.interval(-1.0, 1.0)
            bijective = True
            sign = 1

            def __init__(self, cache_size=1):
                super().__init__(cache_size=cache_size)

            def __eq__(self, other):
                return isinstance(other, Squash)

            def _call(self, x):
                return x.tanh()

            def _inverse(self, y):
                return y.atanh()

            def log_abs_det_jacobian(self, x, y):
                return 2.0 * (math.log(2.0) - x - lib.nn.functional.softplus(-2.0 * x))

        class Policy(D.transformed_distribution.TransformedDistribution):
            def __init__(self, loc, scale):
                super().__init__(D.Normal(loc, scale), [Squash()])

            @property
            def mean(self):
                mean = self.base_dist.loc
                for transform in self.transforms:
                    mean = transform(mean)
                return mean

        lib.manual_seed(0)
        loc = lib.tensor([[0.5, -1.0]], dtype=lib.float64, requires_grad=True)
        policy, other = (Policy(loc, lib.tensor(s, dtype=lib.float64)) for s in (0.5, 1.0))
        action = policy.rsample((4,))
        log_prob = policy.log_prob(action).sum(-1, keepdim=True)
        (log_prob.mean() + D.kl_divergence(policy, other).sum()).backward()
        return [repr(policy), repr(policy.support)], [policy.mean, action, log_prob, loc.grad]

    (ours, xs), (theirs, ys) = program(mt), program(torch)
    assert ours == theirs
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-12)


ERRORS = {
    "correlations of no dims": lambda D, t: D.CorrCholeskyTransform().forward_shape(()),
    "correlations of no triangle": lambda D, t: D.CorrCholeskyTransform().forward_shape((2, 4)),
    "no triangle": lambda D, t: D.CorrCholeskyTransform()(t([0.1] * 4)),
    "a diagonal outside": lambda D, t: D.utils.tril_matrix_to_vec(t([[1.0]]), diag=1),
    "a vector of correlations": lambda D, t: D.CorrCholeskyTransform().inverse_shape((3,)),
    "not square": lambda D, t: D.CorrCholeskyTransform().inverse_shape((2, 3)),
    "parts that are none": lambda D, t: D.CatTransform([abs]),
    "a length too many": lambda D, t: D.CatTransform([D.ExpTransform()], 0, [1, 2]),
    "parts along no dim": lambda D, t: D.CatTransform([D.ExpTransform()], 1)(t([1.0])),
    "parts of another length": lambda D, t: D.CatTransform([D.ExpTransform()], 0, [3]).inv(t([1.0])),
    "a Jacobian of another length": lambda D, t: D.CatTransform([D.ExpTransform()]).log_abs_det_jacobian(
        t([1.0]), t([1.0, 1.0])
    ),
    "a Jacobian along no dim": lambda D, t: D.StackTransform([D.ExpTransform()], 1).log_abs_det_jacobian(
        t([1.0]), t([1.0])
    ),
    "slices that are none": lambda D, t: D.StackTransform([abs]),
    "another number of slices": lambda D, t: D.StackTransform([D.ExpTransform()])(t([1.0, 2.0])),
    "constraints that are none": lambda D, t: D.constraints.cat([abs]),
    "a constraint too few": lambda D, t: D.constraints.cat([D.constraints.real], 0, [1, 2]),
    "stacked constraints that are none": lambda D, t: D.constraints.stack([abs]),
    "constraints along no dim": lambda D, t: D.constraints.stack([D.constraints.real], 1).check(t([1.0])),
    "kl of more trials": lambda D, t: D.kl_divergence(D.Binomial(3, t(0.5)), D.Binomial(4, t(0.5))),
    "cache_size": lambda D, t: D.ExpTransform(cache_size=2),
    "sizes": lambda D, t: D.ReshapeTransform((2, 3), (4,)),
    "too few dims": lambda D, t: D.ReshapeTransform((2, 3), (6,)).forward_shape((2,)),
    "another shape": lambda D, t: D.ReshapeTransform((2, 3), (6,)).forward_shape((4, 4)),
    "no dims for softmax": lambda D, t: D.SoftmaxTransform().forward_shape(()),
    "no dims for sticks": lambda D, t: D.StickBreakingTransform().inverse_shape(()),
    "no dims": lambda D, t: D.IndependentTransform(D.ExpTransform(), 1)(t(1.0)),
    "abs has no Jacobian": lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), D.AbsTransform()).log_prob(
        t(1.0)
    ),
    "event_dim of two": lambda D, t: D.ComposeTransform([D.ReshapeTransform((2, 3), (6,))]).event_dim,
    "no transform for a constraint": lambda D, t: D.biject_to(D.constraints.boolean),
    "a constraint is none": lambda D, t: D.biject_to.register(3, abs),
    "a dependent constraint": lambda D, t: D.constraints.dependent.check(t(1.0)),
    "a dependent constraint's dims": lambda D, t: D.constraints.dependent.event_dim,
    "an independent constraint's dims": lambda D, t: D.constraints.independent(D.constraints.real, 2).check(t([1.0])),
}


@pytest.mark.parametrize("what", ERRORS)
def test_errors(what):
    ours, theirs = (outcome(lambda lib: ERRORS[what](lib.distributions, lib.tensor), lib) for lib in (mt, torch))
    assert ours[0] == theirs[0]
    if theirs[1]:
        assert ours[1] == theirs[1]


CONSTRAINTS = {
    "boolean": ([0.0, 0.5, 1.0], lambda c: c.boolean),
    "nonnegative_integer": ([0.0, 0.5, -1.0], lambda c: c.nonnegative_integer),
    "positive_integer": ([0.0, 0.5, 1.0], lambda c: c.positive_integer),
    "integer_interval": ([0.0, 2.5, 3.0, 4.0], lambda c: c.integer_interval(1, 3)),
    "real": ([0.0, math.inf, math.nan], lambda c: c.real),
    "positive": ([0.0, 1.0, math.nan], lambda c: c.positive),
    "greater_than_eq": ([0.0, 1.0, 2.0], lambda c: c.greater_than_eq(1)),
    "less_than": ([0.0, 1.0, 2.0], lambda c: c.less_than(1)),
    "unit_interval": ([0.0, 1.0, 2.0], lambda c: c.unit_interval),
    "half_open_interval": ([0.0, 1.0, 2.0], lambda c: c.half_open_interval(0, 1)),
    "real_vector": ([[0.0, 1.0], [math.nan, 0.0]], lambda c: c.real_vector),
    "one_hot": ([[0.0, 1.0], [1.0, 1.0], [0.5, 0.5]], lambda c: c.one_hot),
    "simplex": ([[0.0, 1.0], [1.0, 1.0], [-0.5, 1.5]], lambda c: c.simplex),
    "multinomial": ([[0.0, 3.0], [1.0, 1.0], [-1.0, 2.0]], lambda c: c.multinomial(2)),
    "lower_triangular": ([[[1.0, 0.0], [2.0, -1.0]], [[1.0, 1.0], [0.0, 1.0]]], lambda c: c.lower_triangular),
    "lower_cholesky": ([[[1.0, 0.0], [2.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]], lambda c: c.lower_cholesky),
    "corr_cholesky": ([[[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.6, 0.9]]], lambda c: c.corr_cholesky),
    "square": ([[[1.0, 0.0]], [[1.0, 0.0]]], lambda c: c.square),
    "symmetric": ([[[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.5], [0.4, 1.0]]], lambda c: c.symmetric),
    "positive_definite": ([[[1.0, 0.5], [0.5, 1.0]], [[1.0, 2.0], [2.0, 1.0]]], lambda c: c.positive_definite),
    "positive_semidefinite": ([[[1.0, 0.5], [0.5, 1.0]], [[1.0, 2.0], [2.0, 1.0]]], lambda c: c.positive_semidefinite),
    "positive_semidefinite of an asymmetric one": ([[1.0, 0.5], [0.4, 1.0]], lambda c: c.positive_semidefinite),
    "cat": ([[0.5, -0.5], [3.0, 0.5]], lambda c: c.cat([c.positive, c.unit_interval], -1)),
    "cat of lengths": ([[0.5, -0.5, 1.0], [3.0, 0.5, 1.0]], lambda c: c.cat([c.positive, c.boolean], 1, [2, 1])),
    "stack": ([[0.5, -0.5], [3.0, 0.5]], lambda c: c.stack([c.positive, c.unit_interval], -1)),
    "stack of vectors": ([[0.5, 0.5], [3.0, 0.5]], lambda c: c.stack([c.real_vector, c.independent(c.positive, 1)])),
    "MixtureSameFamily": ([[0.5, -0.5], [3.0, 0.5]], lambda c: c.MixtureSameFamilyConstraint(c.positive)),
}


@pytest.mark.parametrize("what", CONSTRAINTS)
def test_constraints(what):
    values, constraint = CONSTRAINTS[what]

    def program(lib):
        c = constraint(lib.distributions.constraints)
        inner = lib.distributions.constraints.MixtureSameFamilyConstraint
        checked = c.check(lib.tensor(values)) if not isinstance(c, inner) else c.check(lib.tensor(values).unsqueeze(-1))
        return [repr(c), c.is_discrete, c.event_dim, checked]

    same(program)


@pytest.mark.parametrize("what", [name for name in CONSTRAINTS if name != "corr_cholesky"])  # takes another x
def test_registries(what):
    """What biject_to and transform_to give lies in the region, and is torch's; or torch has none."""

    def program(lib, registry):
        constraint = CONSTRAINTS[what][1](lib.distributions.constraints)
        t = getattr(lib.distributions, registry)(constraint)
        y = t(lib.tensor([[0.3, -1.1], [0.7, 0.2]]))
        assert constraint.check(y).all()
        return repr(t), y.numpy()

    for registry in ("biject_to", "transform_to"):
        try:
            name, y = program(torch, registry)
        except NotImplementedError:
            with pytest.raises(NotImplementedError, match="Cannot transform"):
                program(mt, registry)
            continue
        our_name, x = program(mt, registry)
        assert our_name == name
        np.testing.assert_allclose(x, y, rtol=2e-6)
