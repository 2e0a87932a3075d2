"""minitorch2.distributions against torch.distributions: shapes, moments, densities, their gradients, and errors.

Samples are test_distributions_samples's business, divergences and transforms are test_distributions_kl's.
"""

import functools
import math

import numpy as np
import pytest
import torch
from distribution_cases import CASES, as_ours, both
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import BOTH, neutral, outcome, same

import minitorch2 as mt

# torch says of all its Wishart samples that they are singular
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected:UserWarning")

NAMES = sorted(CASES)
MISSING = "not implemented"
# Two libraries round exp, log and lgamma each in its own way; a log density adds up a handful of such numbers.
CLOSE = {"float32": {"rtol": 5e-6, "atol": 2e-6}, "float64": {"rtol": 1e-11, "atol": 1e-11}}


PRECISION = {"VonMises": "float32"}  # torch's series for the Bessel functions are good to 7 digits
# Their cdf has no derivative in the concentration, in torch neither; torch's igamma is good to 9 digits.
OF_GAMMA = {"Gamma", "Chi2", "InverseGamma"}


def attempt(function, *args):
    try:
        return function(*args)
    except NotImplementedError:
        return MISSING


def agree(ours, theirs, tolerance):
    if theirs is MISSING or ours is MISSING:
        assert ours is theirs
        return
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_moments_and_print(name):
    ours, theirs, _, _ = both(name)
    assert repr(ours) == repr(theirs)
    assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
    assert neutral(repr(ours.support)) == repr(theirs.support)
    assert (ours.support.is_discrete, ours.support.event_dim) == (theirs.support.is_discrete, theirs.support.event_dim)
    assert neutral(repr(ours.arg_constraints)) == repr(theirs.arg_constraints)
    assert ours.has_enumerate_support == theirs.has_enumerate_support
    for moment in ("mean", "mode", "variance", "stddev"):
        agree(attempt(getattr, ours, moment), attempt(getattr, theirs, moment), CLOSE["float32"])
    assert repr(ours) == repr(theirs)  # what is worked out when asked for is shown from then on


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_densities_and_entropy(name, dtype, monkeypatch):
    if name.startswith("GeneralizedPareto"):  # torch compares the concentration with 0 in the default dtype
        monkeypatch.setattr(torch, "tensor", functools.partial(torch.tensor, dtype=getattr(torch, dtype)))
    ours, theirs, p, q = both(name, dtype, requires_grad=True)
    torch.manual_seed(1)
    value = theirs.sample((4,))
    dtype = PRECISION.get(name, dtype)
    for function in ("log_prob", "cdf"):
        x, y = attempt(getattr(ours, function), as_ours(value)), attempt(getattr(theirs, function), value)
        if function == "cdf" and name in OF_GAMMA:
            agree(x, y, CLOSE["float32"])
            continue
        agree(x, y, CLOSE[dtype])
        if y is not MISSING and y.requires_grad:
            gradients_agree(x, y, p, q, dtype)
    quantiles = torch.tensor([[0.1], [0.7]], dtype=value.dtype)
    agree(attempt(ours.icdf, as_ours(quantiles)), attempt(theirs.icdf, quantiles), CLOSE[dtype])
    # torch takes the factorial in a Multinomial's entropy in float32, whatever the parameter is.
    tolerance = CLOSE["float32" if name == "Multinomial" else dtype]
    for function in ("entropy", "perplexity"):
        x, y = (attempt(getattr(d, function)) for d in (ours, theirs))
        agree(x, y, tolerance)
        if function == "entropy" and y is not MISSING and y.requires_grad:
            gradients_agree(x, y, p, q, dtype)
    for expand in (True, False):
        agree(attempt(ours.enumerate_support, expand), attempt(theirs.enumerate_support, expand), {})


def gradients_agree(x, y, p, q, dtype):
    """First derivatives of a weighted sum, and in float64 the derivatives of a function of those."""
    twice = dtype == "float64"
    weights = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).reshape(y.shape)
    grads = []
    for result, parameters, lib, w in ((x, p, mt, as_ours(weights)), (y, q, torch, weights)):
        total = (result * w).sum()
        first = lib.autograd.grad(total, parameters, create_graph=twice, retain_graph=True, allow_unused=True)
        grads.append(list(first))
        if twice:
            smooth = sum((g**2).sum() for g in first if g is not None)
            if smooth.requires_grad:
                grads[-1] += lib.autograd.grad(smooth, parameters, retain_graph=True, allow_unused=True)
    for ours, theirs in zip(*grads, strict=True):
        if ours is None or theirs is None:  # one of the libraries has no path, the other one of slope 0
            left = ours if theirs is None else theirs
            assert left is None or not left.detach().numpy().any()
            continue
        # Cancellation in a derivative is as large as its terms: relative to the largest element. torch's trigamma,
        # the slope of digamma, is good to 2e-9 in float64 (its value at 1/4 is known to be pi^2 + 8 G).
        scale = max(1.0, theirs.detach().abs().max().item())
        limits = {"rtol": 2e-5, "atol": 1e-5 * scale} if dtype == "float32" else {"rtol": 2e-8, "atol": 1e-8 * scale}
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **limits)


@pytest.mark.parametrize("name", NAMES)
def test_expand(name):
    ours, theirs, _, _ = both(name)
    shape = (3, *theirs.batch_shape)
    x, y = ours.expand(shape), theirs.expand(shape)
    assert repr(x) == repr(y)
    assert (x.batch_shape, x.event_shape) == (y.batch_shape, y.event_shape)
    torch.manual_seed(2)
    value = y.sample()
    agree(x.log_prob(as_ours(value)), y.log_prob(value), CLOSE["float32"])
    agree(attempt(getattr, x, "mean"), attempt(getattr, y, "mean"), CLOSE["float32"])


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=5),
    st.floats(0.0625, 8, width=32),
    st.floats(-20, 20, width=32),
)
def test_drawn_densities(values, scale, loc):
    """log_prob and cdf of what has all numbers for its support, at drawn places."""
    x = torch.tensor(values)
    for name in ("Normal", "Laplace", "Cauchy", "Gumbel"):
        # torch's Gumbel goes through a uniform whose check fails where rounding leads to 0 or 1.
        ours, theirs = (getattr(lib.distributions, name)(loc, scale, validate_args=False) for lib in (mt, torch))
        for function in ("log_prob", "cdf"):
            got, expected = getattr(ours, function)(as_ours(x)).numpy(), getattr(theirs, function)(x).numpy()
            # exp(exp(y)) multiplies the rounding of y by up to y
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@given(st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=6))
def test_drawn_logits(logits):
    x = torch.tensor(logits)
    k = len(logits)
    for ours, theirs in (
        (mt.distributions.Categorical(logits=as_ours(x)), torch.distributions.Categorical(logits=x)),
        (mt.distributions.Categorical(as_ours(x).exp()), torch.distributions.Categorical(x.exp())),
    ):
        for index in range(k):
            got, expected = (d.log_prob(lib.tensor(index)).item() for d, lib in ((ours, mt), (theirs, torch)))
            assert got == pytest.approx(expected, rel=1e-5, abs=8e-6)  # differences of numbers up to 62
        assert ours.entropy().item() == pytest.approx(theirs.entropy().item(), rel=1e-4, abs=8e-6)


def test_the_edges_of_regions():
    """Impossible and certain values: infinities where torch has them, and no nan."""
    for lib in (mt, torch):
        D, t = lib.distributions, lib.tensor
        assert D.Categorical(t([0.0, 1.0])).entropy().item() == pytest.approx(0, abs=1e-5)
        assert D.Categorical(logits=t([-math.inf, 1.0])).entropy().item() == 0
        assert D.Geometric(t(1.0)).log_prob(t([0.0, 2.0])).tolist() == [0.0, -math.inf]
        uniform = D.Uniform(0.0, 1.0, validate_args=False)
        assert uniform.log_prob(t([0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, -math.inf, -math.inf]
        assert uniform.cdf(t([-1.0, 0.5, 2.0])).tolist() == [0, 0.5, 1]
        assert D.Multinomial(2, t([0.5, 0.5, 0.0])).log_prob(t([1.0, 1.0, 0.0])).item() == pytest.approx(math.log(0.5))
        assert D.Bernoulli(t([0.5, 0.4])).mode.tolist()[1] == 0
        assert D.Poisson(t(0.0)).log_prob(t([0.0, 1.0])).tolist() == [0, -math.inf]


ERRORS = {
    "a negative scale": lambda D, t: D.Normal(t([0.0, 0.0]), t([1.0, -1.0])),
    "a nan": lambda D, t: D.Normal(t(float("nan")), 1.0),
    "a string": lambda D, t: D.Normal("a", 1.0),
    "low above high": lambda D, t: D.Uniform(1.0, 0.0),
    "a probability above 1": lambda D, t: D.Bernoulli(t([0.5, 1.5])),
    "both": lambda D, t: D.Bernoulli(0.5, 0.5),
    "neither": lambda D, t: D.Bernoulli(),
    "neither of categories": lambda D, t: D.Categorical(),
    "probs without dims": lambda D, t: D.Categorical(t(1.0)),
    "logits without dims": lambda D, t: D.OneHotCategorical(logits=t(1.0)),
    "negative probs": lambda D, t: D.Categorical(t([-1.0, 2.0])),
    "nan logits": lambda D, t: D.Categorical(logits=t([float("nan"), 2.0])),
    "a success that never comes": lambda D, t: D.Geometric(0.0),
    "a tensor of counts": lambda D, t: D.Multinomial(t(2), t([0.5, 0.5])),
    "a negative rate": lambda D, t: D.Poisson(-1.0),
    "no concentration": lambda D, t: D.Dirichlet(t(1.0)),
    "a concentration of 0": lambda D, t: D.Beta(0.0, 1.0),
    "loc without dims": lambda D, t: D.MultivariateNormal(t(0.0), t(MATRIX)),
    "no matrix": lambda D, t: D.MultivariateNormal(t([0.0, 0.0])),
    "two matrices": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t(MATRIX), t(MATRIX)),
    "a vector for a matrix": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), scale_tril=t([1.0, 1.0])),
    "not positive definite": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 2.0], [2.0, 1.0]])),
    "not symmetric": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 0.5], [0.2, 1.0]])),
    "not triangular": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), scale_tril=t(MATRIX)),
    "too many dims of the batch": lambda D, t: D.Independent(D.Normal(t([0.0]), 1.0), 2),
    "no transform": lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), 1),
    "a list of no transforms": lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), [1]),
    "a base too small": lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), D.SoftmaxTransform()),
    "no Categorical": lambda D, t: D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0)),
    "no components": lambda D, t: D.MixtureSameFamily(D.Categorical(t([0.5, 0.5])), t([1.0])),
    "components of another batch": lambda D, t: D.MixtureSameFamily(
        D.Categorical(t([[0.5, 0.5]] * 3)), D.Normal(t([[0.0, 1.0]] * 2), 1.0)
    ),
    "another number of components": lambda D, t: D.MixtureSameFamily(
        D.Categorical(t([0.5, 0.5])), D.Normal(t([0.0, 1.0, 2.0]), 1.0)
    ),
    "a number's log_prob": lambda D, t: D.Normal(0.0, 1.0).log_prob(1.0),
    "another batch": lambda D, t: D.Normal(t([0.0, 0.0, 0.0]), 1.0).log_prob(t([0.0, 0.0])),
    "another event": lambda D, t: D.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 0.0, 0.0])),
    "a category too many": lambda D, t: D.Categorical(t([0.5, 0.5])).log_prob(t(2)),
    "half a success": lambda D, t: D.Bernoulli(0.5).log_prob(t([0.5])),
    "outside of the support": lambda D, t: D.Uniform(0.0, 1.0).log_prob(t([0.5, 2.0])),
    "a negative value": lambda D, t: D.Exponential(1.0).log_prob(t(-1.0)),
    "two ones": lambda D, t: D.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 1.0])),
    "counts above the total": lambda D, t: D.Multinomial(2, t([0.5, 0.5])).log_prob(t([2.0, 1.0])),
    "cdf outside of the support": lambda D, t: D.HalfNormal(1.0).cdf(t(-1.0)),
    "combinations": lambda D, t: D.Independent(D.Bernoulli(t([0.5, 0.5])), 1).enumerate_support(),
    "validate_args of 3": lambda D, t: D.Distribution.set_default_validate_args(3),
    "no rsample": lambda D, t: D.Bernoulli(0.5).rsample(),
}
MATRIX = [[1.0, 0.3], [0.3, 2.0]]
ERRORS |= {
    "a count of a half": lambda D, t: D.Binomial(t(2.5), t(0.5)),
    "both of trials": lambda D, t: D.Binomial(3, 0.5, 0.5),
    "more successes than trials": lambda D, t: D.Binomial(3, t(0.5)).log_prob(t(4.0)),
    "entropy of several counts": lambda D, t: D.Binomial(t([3.0, 4.0]), t(0.5)).entropy(),
    "outcomes of several counts": lambda D, t: D.Binomial(t([3.0, 4.0]), t(0.5)).enumerate_support(),
    "no failures": lambda D, t: D.NegativeBinomial(3, t(1.0)),
    "a negative count": lambda D, t: D.NegativeBinomial(-1.0, t(0.5)),
    "a continuous probability above 1": lambda D, t: D.ContinuousBernoulli(t(1.5), validate_args=True),
    "both of a continuous one": lambda D, t: D.ContinuousBernoulli(t(0.5), t(0.5)),
    "below the threshold": lambda D, t: D.GeneralizedPareto(1.0, 1.0, t(0.5)).cdf(t(0.5)),
    "beyond the end": lambda D, t: D.GeneralizedPareto(1.0, 1.0, t(-0.5)).log_survival_function(t(3.5)),
    "a negative half": lambda D, t: D.HalfCauchy(1.0).log_prob(t(-1.0)),
    "a scale of 0": lambda D, t: D.HalfCauchy(0.0),
    "an inverse of 0": lambda D, t: D.InverseGamma(1.0, 0.0),
    "a probability above one": lambda D, t: D.Kumaraswamy(1.0, 2.0).log_prob(t(1.5)),
    "dim of 1": lambda D, t: D.LKJCholesky(1),
    "a negative concentration": lambda D, t: D.LKJCholesky(2, -1.0),
    "no correlations": lambda D, t: D.LKJCholesky(2).log_prob(t(MATRIX)),
    "no simplex": lambda D, t: D.LogisticNormal(t([0.0]), t([1.0])).log_prob(t([0.5, 0.6])),
    "low rank: loc without dims": lambda D, t: D.LowRankMultivariateNormal(t(0.0), t(MATRIX), t([1.0, 1.0])),
    "low rank: a vector": lambda D, t: D.LowRankMultivariateNormal(t([0.0]), t([1.0]), t([1.0])),
    "low rank: another size": lambda D, t: D.LowRankMultivariateNormal(t([0.0]), t(MATRIX), t([1.0])),
    "low rank: another diagonal": lambda D, t: D.LowRankMultivariateNormal(t([0.0, 0.0]), t(MATRIX), t([1.0])),
    "low rank: other batches": lambda D, t: D.LowRankMultivariateNormal(
        t([[0.0, 0.0]] * 2), t([MATRIX] * 3), t([1.0, 1.0])
    ),
    "low rank: a negative one": lambda D, t: D.LowRankMultivariateNormal(t([0.0, 0.0]), t(MATRIX), t([-5.0, 1.0])),
    "below the scale": lambda D, t: D.Pareto(2.0, 1.0).log_prob(t(1.0)),
    "no direction": lambda D, t: D.VonMises(t(0.0), t(0.0)),
    "no shape": lambda D, t: D.Weibull(1.0, 0.0),
    "no matrix of Wishart's": lambda D, t: D.Wishart(3.0),
    "a vector of Wishart's": lambda D, t: D.Wishart(3.0, t([1.0])),
    "too few degrees": lambda D, t: D.Wishart(t(0.5), t(MATRIX)),
    "no covariance of Wishart's": lambda D, t: D.Wishart(3.0, t([[1.0, 2.0], [2.0, 1.0]])),
    "a family without natural parameters": lambda D, t: D.ExponentialFamily(validate_args=False).entropy(),
    "a cdf that has none": lambda D, t: D.VonMises(t(0.0), t(1.0)).cdf(t(0.0)),
}


@pytest.mark.parametrize("what", ERRORS)
def test_errors(what):
    """The type of torch's error, and its text where torch has one."""
    action = ERRORS[what]
    ours, theirs = (outcome(lambda lib: action(lib.distributions, lib.tensor), lib) for lib in (mt, torch))
    assert theirs[0] in ("ValueError", "NotImplementedError", "AssertionError")
    assert ours[0] == theirs[0]
    if theirs[1]:
        assert ours[1] == theirs[1]


def test_checks_can_be_turned_off():
    for lib in (mt, torch):
        D = lib.distributions
        assert D.Normal(0.0, -1.0, validate_args=False).log_prob(lib.tensor(0.0)).isnan()
        D.Distribution.set_default_validate_args(False)
        try:
            D.Normal(0.0, -1.0)
        finally:
            D.Distribution.set_default_validate_args(True)
        with pytest.raises(ValueError, match="Expected parameter scale"):
            D.Normal(0.0, -1.0)


def test_all_of_torch_is_there():
    ours, theirs = mt.distributions, torch.distributions
    assert set(theirs.__all__) <= set(ours.__all__)
    for name in theirs.__all__:
        kind = getattr(theirs, name)
        if isinstance(kind, type) and issubclass(kind, theirs.Distribution):
            assert [k.__name__ for k in kind.__mro__[1:] if k.__name__ in theirs.__all__] == [
                k.__name__ for k in getattr(ours, name).__mro__[1:] if k.__name__ in ours.__all__
            ]
    for module in ("constraints", "utils", "transforms"):
        assert set(getattr(theirs, module).__all__) <= set(getattr(ours, module).__all__)


def triangular(lib):
    """A distribution as a program defines its own: the sum of two uniforms."""
    D, constraints = lib.distributions, lib.distributions.constraints

    class Triangular(D.Distribution):
        arg_constraints = {"width": constraints.positive}  # noqa: RUF012
        has_rsample = True

        def __init__(self, width, validate_args=None):
            self.width = width
            super().__init__(width.shape, validate_args=validate_args)

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Triangular, _instance)
            new.width = self.width.expand(batch_shape)
            super(Triangular, new).__init__(batch_shape, validate_args=False)
            new._validate_args = self._validate_args
            return new

        @constraints.dependent_property(is_discrete=False, event_dim=0)
        def support(self):
            return constraints.interval(self.width * 0, self.width * 2)

        def rsample(self, sample_shape=lib.Size()):  # noqa: B008
            shape = self._extended_shape(sample_shape)
            return (lib.rand(shape) + lib.rand(shape)) * self.width

        def log_prob(self, value):
            if self._validate_args:
                self._validate_sample(value)
            return (1 - (value / self.width - 1).abs()).log() - self.width.log()

    return Triangular


def test_a_distribution_of_ones_own():
    def program(lib):
        lib.manual_seed(0)
        d = triangular(lib)(lib.tensor([1.0, 2.0]))
        wide = d.expand((3, 2))
        constraint = lib.distributions.constraints
        return [
            repr(d),
            repr(wide),
            d.sample((2,)),
            wide.sample(),
            wide.log_prob(lib.tensor([0.5, 0.5])),
            constraint.is_dependent(type(d).support),
            lib.distributions.Independent(d, 1).log_prob(lib.tensor([0.5, 1.0])),
        ]

    same(program)
    same(lambda lib: triangular(lib)(lib.tensor([1.0])).log_prob(lib.tensor([3.0])))
    same(lambda lib: triangular(lib)(lib.tensor([-1.0])))


@pytest.mark.parametrize("lib", BOTH)
def test_a_subclass_with_an_init_of_its_own_has_to_define_expand(lib):
    class Standard(lib.distributions.Normal):
        def __init__(self, n):
            super().__init__(lib.zeros(n), 1.0)

    class Renamed(lib.distributions.Normal): ...

    assert Standard(2).sample().shape == (2,)
    with pytest.raises(NotImplementedError, match=r"Subclass Standard of Normal .* must also define a custom .expand"):
        Standard(2).expand((3, 2))
    assert type(Renamed(0.0, 1.0).expand((3,))) is Renamed

    class Bare(lib.distributions.Distribution): ...

    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        bare = Bare()
    with pytest.warns(UserWarning, match="does not define `support`"):
        bare._validate_sample(lib.tensor(1.0))
    for missing in (bare.sample, bare.entropy, lambda: bare.mean, lambda: bare.expand((2,)), lambda: bare.cdf(1)):
        with pytest.raises(NotImplementedError):
            missing()


@pytest.mark.parametrize("lib", BOTH)
def test_lazy_parameters_have_gradients_under_no_grad(lib):
    logits = lib.tensor([0.5, -1.0], requires_grad=True)
    d = lib.distributions.Categorical(logits=logits)
    with lib.no_grad():
        d.sample()
    assert d.probs.requires_grad


def test_the_old_name_of_sample():
    with pytest.warns(FutureWarning, match="sample_n"):
        assert mt.distributions.Normal(0.0, 1.0).sample_n(3).shape == (3,)
