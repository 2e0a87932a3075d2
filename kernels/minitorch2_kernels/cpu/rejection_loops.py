"""The loops that numba compiles for rejection.py. Importing this module imports numba: do so when it is needed.

The arithmetic of minitorch2/core/rejection.py, step by step, which names the sources; log, exp and their kin are the C
library's. A loop takes the stream's state, uint32 (625,), as twister_loops.py has it; the normal left over from the
last pair, float64 (1,), NaN for none; parameters and `out`, flat and of one dtype, float32 or float64.
"""

from __future__ import annotations

import math

import numpy as np

from . import jit as compiler
from .twister_loops import next_double

_THIRD = np.float32(1) / np.float32(3)
_SQUEEZE = float(np.float32(0.0331))
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def jit(function):
    return compiler.jit(function, error_model="numpy")


@jit
def _normal(state, spare):
    x = spare[0]
    if not math.isnan(x):
        spare[0] = math.nan
        return x
    theta = 2.0 * math.pi * next_double(state)
    radius = math.sqrt(-2.0 * math.log1p(-next_double(state)))
    spare[0] = radius * math.sin(theta)
    return radius * math.cos(theta)


@jit
def normals(state, spare, out):
    for i in range(len(out)):
        out[i] = _normal(state, spare)


@jit
def poisson(state, spare, rates, out):
    """RuntimeError for a rate that is negative or NaN."""
    for i in range(len(out)):
        rate = np.float64(rates[i])
        if not rate >= 0:
            raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
        if rate >= 10:
            out[i] = _poisson_of_many(state, rate)
            continue
        count, product, end = 0, 1.0, math.exp(-rate)
        while rate > 0:
            product *= next_double(state)
            if product <= end:
                break
            count += 1
        out[i] = count


@jit
def _poisson_of_many(state, rate):
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    v_r = 0.9277 - 3.6224 / (b - 2)
    log_rate = math.log(rate)
    while True:
        u = next_double(state) - 0.5
        v = next_double(state)
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = np.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + log_inverse_alpha - math.log(a / (us * us) + b)
        if left <= k * log_rate - rate - math.lgamma(k + 1):
            return k


@jit
def binomial(state, spare, counts, probs, out):
    one = out.dtype.type(1)
    for i in range(len(out)):
        count, prob = counts[i], probs[i]
        failures = prob > 0.5
        if failures:
            prob = one - prob
        if count <= 0 or probs[i] <= 0:
            out[i] = 0
        elif probs[i] >= 1:
            out[i] = count
        else:
            if count * prob >= 10:
                k = _binomial_of_many(state, count, prob, one)
            elif prob > 0 and count > 0:  # not where one is NaN
                k = _waited(state, np.float64(count), np.float64(math.log1p(-prob)))
            else:
                k = math.nan
            out[i] = count - out.dtype.type(k) if failures else k


@jit
def _waited(state, count, unit):
    successes, trials = 0.0, 0.0
    while True:
        wait = math.log(next_double(state)) / unit
        if trials + wait > count:
            return successes
        trials += np.ceil(wait)
        if trials <= count:
            successes += 1


@jit
def _binomial_of_many(state, count_in_dtype, prob_in_dtype, one):
    other = one - prob_in_dtype
    mean = np.float64(count_in_dtype * prob_in_dtype)
    odds = np.float64(prob_in_dtype / other)
    mode = np.float64(np.floor((count_in_dtype + one) * prob_in_dtype))
    deviation = np.float64(np.sqrt(count_in_dtype * prob_in_dtype * other))
    after = np.float64(count_in_dtype + one)
    count, prob = np.float64(count_in_dtype), np.float64(prob_in_dtype)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u = next_double(state) - 0.5
        v = next_double(state)
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = np.floor((2 * a / us + b) * u + mean + 0.5)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        log_ratio = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + after * math.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _beyond_stirling(mode)
            + _beyond_stirling(count - mode)
            - _beyond_stirling(k)
            - _beyond_stirling(count - k)
        )
        if math.log(v * alpha / (a / (us * us) + b)) <= log_ratio:
            return k


@jit
def _beyond_stirling(k):
    n = k + 1
    if k <= 9:
        return math.lgamma(n) - (_HALF_LOG_TWO_PI + (k + 0.5) * math.log(n) - n)
    return (1 / 12 - (1 / 360 - 1 / 1260 / (n * n)) / (n * n)) / n


@jit
def gamma(state, spare, concentrations, out):
    one = out.dtype.type(1)
    for i in range(len(out)):
        alpha, scale = concentrations[i], 1.0
        if alpha == 0:
            out[i] = 0
            continue
        if alpha < 1:
            scale = math.pow(1 - next_double(state), np.float64(one / alpha))
            alpha += one
        d = np.float64(alpha - _THIRD)
        c = 1 / math.sqrt(9 * d)
        while True:
            x = _normal(state, spare)
            y = 1 + c * x
            if y <= 0:
                continue
            v = y * y * y
            u = 1 - next_double(state)
            xx = x * x
            if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
                out[i] = scale * d * v
                break
