"""Poisson, gamma and Dirichlet numbers as torch's CPU generator gives them.

Each number takes as many draws of the stream as it needs until one is accepted, so they are made one after the other,
some 20 microseconds each. Everything is computed in float64, except where torch rounds to the parameter's dtype.
"""

from __future__ import annotations

import math

import numpy as np

from . import dtypes
from .generator import Generator

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


def _each(op: str, draw, generator: Generator, parameter, out_dtype) -> np.ndarray:
    """draw(draws, element) for each element of `parameter`, float32 or float64, in row-major order."""
    if parameter.dtype not in (np.float32, np.float64):
        name = dtypes.from_numpy_dtype(parameter.dtype).torch_type
        raise NotImplementedError(f"\"{op}_cpu\" not implemented for '{name}'")
    draws = _Draws(generator)
    with generator._lock:
        numbers = [draw(draws, element) for element in parameter.reshape(-1)]
    return np.array(numbers, out_dtype).reshape(parameter.shape)


def poisson(generator: Generator, rate) -> np.ndarray:
    """How many events happen where `rate` are expected: like rate. RuntimeError for a negative one."""
    return _each("poisson", _poisson, generator, rate, rate.dtype)


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
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        log_v = math.log(v) if v else -math.inf
        if log_v + log_inverse_alpha - math.log(a / (us * us) + b) <= k * math.log(rate) - rate - math.lgamma(k + 1):
            return k


def standard_gamma(generator: Generator, concentration) -> np.ndarray:
    """Gamma numbers of rate 1, at least the dtype's smallest normal number: like concentration, which is positive."""
    values = _each("gamma", _gamma, generator, concentration, concentration.dtype)
    return np.maximum(values, np.finfo(values.dtype).tiny)


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
    c = 1 / math.sqrt(9 * d)
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
