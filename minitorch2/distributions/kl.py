"""kl_divergence(p, q), the integral of p log(p / q), for the pairs of distributions that have a closed form."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ..creation import full_like
from ..functions import digamma, erf, exp, lgamma, where
from ..nn.functional import softplus
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import _sum_rightmost, euler_constant

__all__ = ["kl_divergence", "register_kl"]

_REGISTRY: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def register_kl(type_p, type_q):
    """Decorates a function of p and q that gives kl_divergence for these classes and their subclasses.

    Of several that fit the one for the nearest classes counts. TypeError for what is no class; one that is no
    distribution's may stand for distributions of a package's own.
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def enter(function):
        _REGISTRY[type_p, type_q] = function
        return function

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The Kullback-Leibler divergence of p from q, not negative, of shape batch_shape.

    NotImplementedError for a pair that nothing is registered for.
    """
    return _found(type(p), type(q))(p, q)


def _found(type_p, type_q) -> Callable[[Any, Any], Any]:
    of_p, of_q = type_p.__mro__, type_q.__mro__
    fitting = [(of_p.index(a), of_q.index(b)) for a, b in _REGISTRY if a in of_p and b in of_q]
    if not fitting:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type_p.__name__} and q type {type_q.__name__}"
        )
    first, second = min(fitting), min(fitting, key=lambda distance: distance[::-1])
    if first != second:
        names = [f"({of_p[i].__name__}, {of_q[j].__name__})" for i, j in (first, second)]
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}): {names[0]} is taken before {names[1]}",
            RuntimeWarning,
            stacklevel=3,
        )
    return _REGISTRY[of_p[first[0]], of_q[first[1]]]


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p, q):
    """(tr(Q^-1 P) + d^2 - n + log(det Q / det P)) / 2; P and Q are the covariances, d is q's distance of p's mean."""
    if p.event_shape != q.event_shape:
        kind = ("", "(Low Rank) ", "Low Rank ")[sum(isinstance(x, LowRankMultivariateNormal) for x in (p, q))]
        raise ValueError(
            f"KL-divergence between two {kind}Multivariate Normals with different event shapes cannot be computed"
        )
    return q._half_log_det() - p._half_log_det() + 0.5 * (q._trace(p._root) + q._distance(p.loc) - p.event_shape[0])


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    ones = _ratio_term(p.probs, q.probs, softplus(-q.logits) - softplus(-p.logits))
    return ones + _ratio_term(1 - p.probs, 1 - q.probs, softplus(q.logits) - softplus(p.logits))


def _ratio_term(p, q, log_ratio):
    """p log(p / q), 0 where p is 0, inf where only q is."""
    return where(p == 0, 0.0, where(q == 0, math.inf, p * log_ratio))


@register_kl(Binomial, Binomial)
def _binomial(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    of_one = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return where(p.total_count > q.total_count, math.inf, p.total_count * of_one)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    return _ratio_term(p.probs, q.probs, p.logits - q.logits).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return distance / q.scale + ratio * exp(-distance / p.scale) - ratio.log() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p, q):
    return (((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2) / (4 * p.scale * q.scale)).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc) / q.scale
    return distance - ratio.log() + euler_constant * (ratio - 1) + exp(lgamma(1 + ratio) - distance) - 1


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + lgamma(b) - lgamma(a) + (a - b) * digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1, keepdim=True)
    norms = lgamma(total).squeeze(-1) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return norms + ((a - b) * (digamma(a) - digamma(total))).sum(-1)


@register_kl(Beta, Beta)
def _beta(p, q):
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Pareto, Pareto)
def _pareto(p, q):
    ratio = q.alpha / p.alpha
    return where(p.scale < q.scale, math.inf, q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1)


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p, q):
    """Of two of one class: F(b) - F(a) - <b - a, the gradient of F at a>, for their natural parameters a and b."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed using Bregman "
            "divergences"
        )
    natural, norm, means = p._moments()
    apart = [b - a for a, b in zip(natural, q._natural_params, strict=True)]
    return q._log_normalizer(*q._natural_params) - norm - sum(p._dots(apart, means))


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence of Independent distributions with different reinterpreted_batch_ndims")
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    """Of the bases: what one and the same function does to both does not change it."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence of TransformedDistributions with different transforms or event shapes")
    return kl_divergence(p.base_dist, q.base_dist)


# Different families: minus the entropy of p, minus the mean of q's log density.


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Pareto, Normal)
@register_kl(Uniform, Normal)
def _from_normal(p, q):
    squared = p.variance + (p.mean - q.loc) ** 2
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + squared / (2 * q.scale**2) - p.entropy()


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
@register_kl(Pareto, Exponential)
def _from_exponential(p, q):
    return q.rate * p.mean - q.rate.log() - p.entropy()


@register_kl(Uniform, Exponential)
def _uniform_from_exponential(p, q):
    return where(p.low < 0, math.inf, _from_exponential(p, q))


@register_kl(Beta, Gamma)
@register_kl(Exponential, Gamma)
@register_kl(Pareto, Gamma)
def _from_gamma(p, q):
    a, rate = q.concentration, q.rate
    return lgamma(a) - a * rate.log() - (a - 1) * _mean_log(p) + rate * p.mean - p.entropy()


@register_kl(Uniform, Gamma)
def _uniform_from_gamma(p, q):
    return where(p.low < 0, math.inf, _from_gamma(p, q))


def _mean_log(p):
    """The mean of log x."""
    if isinstance(p, Beta):
        return digamma(p.concentration1) - digamma(p.concentration1 + p.concentration0)
    if isinstance(p, Exponential):
        return -euler_constant - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return _mean_log_between(p.low, p.high)


def _mean_log_between(low, high):  # the integral of log x is x log x - x
    return (high.xlogy(high) - low.xlogy(low)) / (high - low) - 1


@register_kl(Uniform, Beta)
def _uniform_from_beta(p, q):
    a, b = q.concentration1, q.concentration0
    mean_log, mean_log_of_rest = _mean_log_between(p.low, p.high), _mean_log_between(1 - p.high, 1 - p.low)
    log_density = lgamma(a + b) - lgamma(a) - lgamma(b) + (a - 1) * mean_log + (b - 1) * mean_log_of_rest
    return where((p.low < 0) | (p.high > 1), math.inf, -p.entropy() - log_density)


@register_kl(Beta, Uniform)
def _beta_from_uniform(p, q):
    return where((q.low > 0) | (q.high < 1), math.inf, q.entropy() - p.entropy())


@register_kl(Uniform, Pareto)
def _uniform_from_pareto(p, q):
    log_density = (q.alpha * q.scale**q.alpha).log() - (q.alpha + 1) * _mean_log_between(p.low, p.high)
    return where(p.low < q.scale, math.inf, -p.entropy() - log_density)


@register_kl(Beta, ContinuousBernoulli)
@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _from_continuous_bernoulli(p, q):
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_norm()


@register_kl(Uniform, ContinuousBernoulli)  # in these two, torch takes what ends where the other does for outside
def _uniform_from_continuous_bernoulli(p, q):
    return where((p.low <= 0) | (p.high >= 1), math.inf, _from_continuous_bernoulli(p, q))


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_from_uniform(p, q):
    return where((q.low >= 0) | (q.high <= 1), math.inf, q.entropy() - p.entropy())


@register_kl(Bernoulli, Poisson)
def _bernoulli_from_poisson(p, q):
    return q.rate - p.probs * q.rate.log() - p.entropy()


@register_kl(Exponential, Gumbel)
@register_kl(Gamma, Gumbel)
@register_kl(Normal, Gumbel)
@register_kl(Uniform, Gumbel)
def _from_gumbel(p, q):
    """The density is exp(-z - exp(-z)) / s for z = (x - m) / s."""
    mean_exp = exp(q.loc / q.scale) * _mean_exp(p, q.scale.reciprocal())
    return q.scale.log() + (p.mean - q.loc) / q.scale + mean_exp - p.entropy()


def _mean_exp(p, t):
    """The mean of exp(-t x)."""
    if isinstance(p, Normal):
        return exp(0.5 * (t * p.scale) ** 2 - t * p.loc)
    if isinstance(p, Exponential):
        return p.rate / (p.rate + t)
    if isinstance(p, Gamma):
        return (p.rate / (p.rate + t)) ** p.concentration
    return (exp(-t * p.low) - exp(-t * p.high)) / (t * (p.high - p.low))


@register_kl(Normal, Laplace)
def _normal_from_laplace(p, q):
    """E|x - m| = s sqrt(2 / pi) exp(-z^2 / 2) + s z erf(z / sqrt(2)) for z = (p's mean - m) / s."""
    z = (p.loc - q.loc) / p.scale
    distance = p.scale * (math.sqrt(2 / math.pi) * exp(-0.5 * z**2) + z * erf(z * math.sqrt(0.5)))
    return (2 * q.scale).log() + distance / q.scale - p.entropy()


def _never(p, q):
    """p has values that are impossible in q."""
    return full_like(p.mean, math.inf)


for _p in (Normal, Laplace, Gumbel):
    for _q in (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform):
        register_kl(_p, _q)(_never)
for _p in (Exponential, Gamma):
    for _q in (Beta, ContinuousBernoulli, Pareto, Uniform):
        register_kl(_p, _q)(_never)
for _q in (Beta, ContinuousBernoulli, Uniform):
    register_kl(Pareto, _q)(_never)
for _p in (Beta, ContinuousBernoulli):
    register_kl(_p, Pareto)(_never)
for _q in (Bernoulli, Binomial):
    register_kl(Poisson, _q)(_never)
