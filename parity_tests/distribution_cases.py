"""Distributions of every kind, made alike in both libraries from tensors t(...) of parameters."""

import torch

import minitorch2 as mt

MATRIX = [[1.0, 0.3], [0.3, 2.0]]
WEIGHTS = [[0.5, 0.1, 0.9], [1.0, 0.2, 3.0]]

# name -> (make(torch.distributions, *parameters), the parameters)
CASES = {
    "Normal": (lambda D, loc, scale: D.Normal(loc, scale), [[0.5], [-1.0]], [1.0, 2.0, 0.3]),
    "Normal of a number": (lambda D, loc: D.Normal(loc, 2), [0.5, -1.0]),
    "LogNormal": (lambda D, loc, scale: D.LogNormal(loc, scale), [0.5, -1.0], [1.0, 0.3]),
    "HalfNormal": (lambda D, scale: D.HalfNormal(scale), [1.0, 0.3]),
    "Uniform": (lambda D, low, high: D.Uniform(low, high), [0.5, -1.0], [1.0, 3.0]),
    "Exponential": (lambda D, rate: D.Exponential(rate), [0.5, 2.0]),
    "Laplace": (lambda D, loc, scale: D.Laplace(loc, scale), [0.5, -1.0], [1.0, 0.3]),
    "Cauchy": (lambda D, loc, scale: D.Cauchy(loc, scale), [0.5, -1.0], [1.0, 0.3]),
    "Gumbel": (lambda D, loc, scale: D.Gumbel(loc, scale), [0.5, -1.0], [1.0, 0.3]),
    "Bernoulli": (lambda D, probs: D.Bernoulli(probs), [0.4, 0.1, 0.9]),
    "Bernoulli by logits": (lambda D, logits: D.Bernoulli(logits=logits), [[0.5, -3.0], [0.9, 0.0]]),
    "Geometric": (lambda D, probs: D.Geometric(probs), [0.5, 0.1, 0.9]),
    "Geometric by logits": (lambda D, logits: D.Geometric(logits=logits), [0.5, 0.1, 0.9]),
    "Categorical": (lambda D, probs: D.Categorical(probs), WEIGHTS),
    "Categorical by logits": (lambda D, logits: D.Categorical(logits=logits), WEIGHTS),
    "OneHotCategorical": (lambda D, probs: D.OneHotCategorical(probs), WEIGHTS),
    "OneHotCategoricalStraightThrough": (lambda D, x: D.OneHotCategoricalStraightThrough(logits=x), WEIGHTS),
    "Multinomial": (lambda D, probs: D.Multinomial(5, probs), WEIGHTS),
    "Poisson": (lambda D, rate: D.Poisson(rate), [0.3, 5.0, 9.9, 10.0, 30.0, 1000.0]),
    "RelaxedBernoulli": (lambda D, t, probs: D.RelaxedBernoulli(t, probs), 0.7, [0.2, 0.9]),
    "RelaxedOneHotCategorical": (lambda D, t, x: D.RelaxedOneHotCategorical(t, logits=x), 0.7, [0.2, 0.9, -1.0]),
    "Gamma": (lambda D, a, rate: D.Gamma(a, rate), [0.05, 0.5, 1.0, 3.0, 40.0], 2.0),
    "Chi2": (lambda D, df: D.Chi2(df), [0.5, 3.0]),
    "Beta": (lambda D, a, b: D.Beta(a, b), [0.5, 3.0, 0.4], [0.3, 2.0, 0.7]),
    "Dirichlet": (lambda D, a: D.Dirichlet(a), [[0.5, 3.0, 0.4], [0.3, 2.0, 0.5]]),
    "StudentT": (lambda D, df, loc: D.StudentT(df, loc, 2.0), [0.5, 1.5, 3.0], 1.0),
    "MultivariateNormal": (lambda D, loc, m: D.MultivariateNormal(loc, m), [[0.5, -1.0], [1.0, 1.0]], MATRIX),
    "MultivariateNormal by precision": (
        lambda D, loc, m: D.MultivariateNormal(loc, precision_matrix=m),
        [0.5, -1.0],
        MATRIX,
    ),
    "MultivariateNormal by scale_tril": (
        lambda D, loc, m: D.MultivariateNormal(loc, scale_tril=m),
        [0.5, -1.0],
        [[1.0, 0.0], [0.3, 2.0]],
    ),
    "LowRankMultivariateNormal": (
        lambda D, loc, w, d: D.LowRankMultivariateNormal(loc, w, d),
        [[0.5, -1.0, 0.0], [1.0, 1.0, 2.0]],
        [[0.5], [-1.0], [0.3]],
        [1.0, 0.3, 2.0],
    ),
    "Wishart": (lambda D, df, m: D.Wishart(df, m), [3.0, 4.5], MATRIX),
    "Wishart of a number": (lambda D, m: D.Wishart(2.5, precision_matrix=m), MATRIX),
    "Wishart by scale_tril": (lambda D, df, m: D.Wishart(df, scale_tril=m), [3.0, 4.5], [[1.0, 0.0], [0.3, 2.0]]),
    "LKJCholesky": (lambda D, c: D.LKJCholesky(3, c), [0.5, 1.0, 4.0]),
    "LKJCholesky of two": (lambda D, c: D.LKJCholesky(2, c), 1.5),
    "Binomial": (lambda D, n, p: D.Binomial(n, p), [[3.0], [40.0]], [0.05, 0.3, 0.9]),
    "Binomial of one count": (lambda D, p: D.Binomial(5, logits=p), [[0.5, -3.0], [0.9, 0.1]]),
    "NegativeBinomial": (lambda D, n, p: D.NegativeBinomial(n, p), [[0.7], [30.0]], [0.05, 0.5, 0.9]),
    "NegativeBinomial by logits": (lambda D, x: D.NegativeBinomial(3, logits=x), [0.5, -3.0, 0.0]),
    "ContinuousBernoulli": (lambda D, p: D.ContinuousBernoulli(p), [0.0, 0.2, 0.4995, 0.5, 0.6, 0.9]),
    "ContinuousBernoulli by logits": (lambda D, x: D.ContinuousBernoulli(logits=x, lims=(0.4, 0.6)), [0.5, -3.0, 0.1]),
    "FisherSnedecor": (lambda D, a, b: D.FisherSnedecor(a, b), [1.5, 3.0, 6.0], [1.5, 3.0, 5.0]),
    "GeneralizedPareto": (
        lambda D, loc, scale, c: D.GeneralizedPareto(loc, scale, c),
        0.5,
        [[1.0], [0.3]],
        [0.0, -0.5, 0.3, 0.7, 1.2],
    ),
    "GeneralizedPareto, uniform": (lambda D, loc: D.GeneralizedPareto(loc, 2.0, -1.0), [0.5, -1.0]),
    "HalfCauchy": (lambda D, scale: D.HalfCauchy(scale), [1.0, 0.3]),
    "InverseGamma": (lambda D, a, rate: D.InverseGamma(a, rate), [0.5, 1.5, 3.0], [1.0, 0.3, 2.0]),
    "Kumaraswamy": (lambda D, a, b: D.Kumaraswamy(a, b), [0.5, 3.0, 1.5], [0.7, 2.0, 1.5]),
    "LogisticNormal": (lambda D, loc, scale: D.LogisticNormal(loc, scale), [[0.5, -1.0]] * 2, [1.0, 0.3]),
    "LogisticNormal of a number": (lambda D, scale: D.LogisticNormal(0.5, scale), 0.3),
    "Pareto": (lambda D, scale, a: D.Pareto(scale, a), [1.0, 0.3, 2.0], [0.5, 1.5, 3.0]),
    "VonMises": (lambda D, loc, k: D.VonMises(loc, k), [0.5, -1.0, 4.0], [[0.3], [3.0], [20.0]]),
    "Weibull": (lambda D, scale, c: D.Weibull(scale, c), [1.0, 0.3, 2.0], [0.5, 1.5, 3.0]),
    "Independent": (lambda D, loc, scale: D.Independent(D.Normal(loc, scale), 1), [[0.5], [-1.0]], [1.0, 2.0, 0.3]),
    "squashed Normal": (
        lambda D, loc, scale: D.TransformedDistribution(
            D.Normal(loc, scale), [D.TanhTransform(), D.AffineTransform(1.0, -2.0)]
        ),
        [0.5, -0.3],
        [0.5, 0.3],
    ),
    "sticks": (
        lambda D, loc, scale: D.TransformedDistribution(D.Normal(loc, scale), D.StickBreakingTransform()),
        [0.5, -1.0],
        [1.0, 0.3],
    ),
    "mixture": (
        lambda D, w, loc, scale: D.MixtureSameFamily(D.Categorical(w), D.Normal(loc, scale)),
        [0.3, 0.7],
        [0.0, 3.0],
        [1.0, 0.5],
    ),
    "mixture of vectors": (
        lambda D, w, loc: D.MixtureSameFamily(D.Categorical(logits=w), D.Independent(D.Normal(loc, 1.0), 1)),
        [[0.3, 0.7]] * 3,
        [[[0.0, 3.0], [1.0, 1.0]]] * 3,
    ),
}


def made(lib, name, dtype="float32", requires_grad=False):
    """(the distribution, its parameters)."""
    make, *lists = CASES[name]
    parameters = [lib.tensor(x, dtype=getattr(lib, dtype), requires_grad=requires_grad) for x in lists]
    return make(lib.distributions, *parameters), parameters


def both(name, dtype="float32", requires_grad=False):
    """The distribution in minitorch2 and in torch, and the parameters of each."""
    (ours, p), (theirs, q) = (made(lib, name, dtype, requires_grad) for lib in (mt, torch))
    return ours, theirs, p, q


def as_ours(x):
    """A torch tensor as ours."""
    return mt.tensor(x.detach().numpy())
