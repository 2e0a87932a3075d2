"""Poisson, binomial, gamma and Dirichlet numbers as torch's CPU generator gives them.

Each number takes as many draws of the stream as it needs until one is accepted, so they are made one after the other:
by compiled loops, or here, which takes some hundred times as long. Everything is computed in float64, except where
torch rounds to the parameter's dtype.
"""

from __future__ import annotations

import math

import numpy as np

from . import dtypes
from .generator import Generator
from .mt19937 import one_by_one

_THIRD = np.float32(1) / np.float32(3)
_SQUEEZE = float(np.float32(0.0331))


class _Draws:
    """Single float64 numbers of a generator's stream."""

    def __init__(self, generator: Generator):
        self._generator = generator

    def uniform(self) -> float:
        return float(self._generator._engine.doubles(1)[0])

    def normal(self) -> float:
        return float(self._generator._normals_one_by_one(1, 0.0, 1.0)[0])


def _each(op: str, draw, generator: Generator, *parameters) -> np.ndarray:
    """draw(draws, *elements) for each place of the parameters, of one shape and dtype, in row-major order."""
    first = parameters[0]
    if first.dtype not in (np.float32, np.float64):
        name = dtypes.from_numpy_dtype(first.dtype).torch_type
        raise NotImplementedError(f"\"{op}_cpu\" not implemented for '{name}'")
    flat = [p.reshape(-1) for p in parameters]
    with generator._lock:
        if one_by_one().available:
            return generator.drawn_by(one_by_one().draw, op, *flat).reshape(first.shape)
        draws = _Draws(generator)
        numbers = [draw(draws, *elements) for elements in zip(*flat, strict=True)]
    return np.array(numbers, first.dtype).reshape(first.shape)


def poisson(generator: Generator, rate) -> np.ndarray:
    """How many events happen where `rate` are expected: like rate. RuntimeError for a negative one."""
    return _each("poisson", _poisson, generator, rate)


def _poisson(draws: _Draws, rate) -> int:
    rate = float(rate)
    if not rate >= 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if rate >= 10:
        return _poisson_of_many(draws, rate)
    # Waiting times are -log of uniforms: events are counted until those times add up to the rate.
    count, product, end = 0, 1.0, math.exp(-rate)
    while rate:
        product *= draws.uniform()
        if product <= end:
            break
        count += 1
    return count


def _poisson_of_many(draws: _Draws, rate: float) -> int:
    """Algorithm PTRS. Source: Hörmann, "The transformed rejection method for generating Poisson random variables",
    Insurance: Mathematics and Economics 12 (1993)."""
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = draws.uniform() - 0.5, draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:  # k would be -inf
            continue
        k = np.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        log_v = math.log(v) if v else -math.inf
        if log_v + log_inverse_alpha - math.log(a / (us * us) + b) <= k * math.log(rate) - rate - math.lgamma(k + 1):
            return k


def binomial(generator: Generator, count, probs) -> np.ndarray:
    """How many of `count` trials of probability `probs` succeed: like count, whose shape and dtype probs has."""
    return _each("binomial", _binomial, generator, count, probs)


def _binomial(draws: _Draws, count, prob):
    if count <= 0 or prob <= 0:
        return 0
    if prob >= 1:
        return count
    if prob > 0.5:  # those that fail are fewer
        return count - _binomial(draws, count, prob.dtype.type(1) - prob)
    if count * prob >= 10:
        return _binomial_of_many(draws, count, prob)
    if not (prob > 0 and count > 0):  # one is NaN
        return math.nan
    # The number of trials up to a success is the log of a uniform in units of log(1 - prob), rounded up.
    successes, trials, unit = 0, 0, float(np.log1p(-prob))
    while True:
        u = draws.uniform()
        wait = math.log(u) / unit if u else math.inf
        if trials + wait > count:
            return successes
        trials += math.ceil(wait)
        successes += trials <= count


def _binomial_of_many(draws: _Draws, count, prob) -> int:
    """Algorithm BTRS, for prob up to 1/2. Source: Hörmann, "The generation of binomial random variates", Journal of
    Statistical Computation and Simulation 46 (1993)."""
    mean, odds, mode = (float(x) for x in (count * prob, prob / (1 - prob), np.floor((count + 1) * prob)))
    deviation, after = float(np.sqrt(count * prob * (1 - prob))), float(count + 1)  # in count's dtype, as those above
    count, prob = float(count), float(prob)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u, v = draws.uniform() - 0.5, draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:  # k would be -inf
            continue
        k = np.floor((2 * a / us + b) * u + mean + 0.5)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        log_v = math.log(v * alpha / (a / (us * us) + b)) if v else -math.inf
        log_ratio = (  # of the probability of k to that of the mode
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + after * math.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _beyond_stirling(mode)
            + _beyond_stirling(count - mode)
            - _beyond_stirling(k)
            - _beyond_stirling(count - k)
        )
        if log_v <= log_ratio:
            return k


def _beyond_stirling(k: float) -> float:
    """What Stirling's formula for log(k!), in powers of k + 1, leaves out: exact up to 9, the series' start above."""
    n = k + 1
    if k <= 9:
        return math.lgamma(n) - (0.5 * math.log(2 * math.pi) + (k + 0.5) * math.log(n) - n)
    return (1 / 12 - (1 / 360 - 1 / 1260 / n**2) / n**2) / n


def standard_gamma(generator: Generator, concentration) -> np.ndarray:
    """Gamma numbers of rate 1, at least the dtype's smallest normal number: like concentration, which is positive."""
    values = _each("gamma", _gamma, generator, concentration)
    return np.fmax(values, np.finfo(values.dtype).tiny)  # instead of NaN, too


def _gamma(draws: _Draws, alpha) -> float:
    """Source: Marsaglia and Tsang, "A simple method for generating gamma variables", ACM Transactions on Mathematical
    Software 26 (2000)."""
    one, scale = alpha.dtype.type(1), 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        # gamma(alpha) is gamma(alpha + 1) times uniform ** (1 / alpha)
        scale = math.pow(1 - draws.uniform(), float(one / alpha))
        alpha = alpha + one
    d = float(alpha - _THIRD)  # in alpha's dtype
    c = 1 / math.sqrt(9 * d) if d > 0 else math.nan
    while True:
        x = draws.normal()
        y = 1 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - draws.uniform()
        xx = x * x
        if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
            return scale * d * v


def dirichlet(generator: Generator, concentration) -> np.ndarray:
    """Probabilities that add up to 1 along the last axis: like concentration, which is positive."""
    gammas = standard_gamma(generator, concentration.astype(np.float64))
    dtype = concentration.dtype
    shares = (gammas / gammas.sum(-1, keepdims=True)).astype(dtype)
    return np.clip(shares, np.finfo(dtype).tiny, np.nextafter(dtype.type(1), dtype.type(0)))
