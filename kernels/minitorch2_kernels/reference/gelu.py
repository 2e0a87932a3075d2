"""GELU: x times the normal distribution function. Source: Hendrycks and Gimpel, 2016."""

from __future__ import annotations

import math

from ..dispatch import kernel, namespace
from .special import erf


@kernel
def gelu(x):
    """(x Phi(x), Phi(x)), both like x; Phi is the normal distribution function."""
    phi = erf(x * math.sqrt(0.5))
    phi += 1
    phi *= 0.5
    return x * phi, phi


@kernel
def gelu_grad(g, x, phi):
    """g (Phi(x) + x phi(x)) with Phi(x) given, phi the normal density."""
    slope = x * x
    slope *= -0.5
    slope = namespace(x).exp(slope)
    slope *= x
    slope *= 1 / math.sqrt(2 * math.pi)
    slope += phi
    slope *= g
    return slope


ROOT = math.sqrt(2 / math.pi)
CUBIC = 0.044715


@kernel
def gelu_tanh(x):
    """(x (1 + t) / 2, t) with t = tanh(sqrt(2/pi) (x + 0.044715 x^3)), both like x: nearly gelu."""
    t = x * x
    t *= CUBIC
    t += 1
    t *= x
    t *= ROOT
    t = namespace(x).tanh(t)
    y = t + 1
    y *= x
    y *= 0.5
    return y, t


@kernel
def gelu_tanh_grad(g, x, t):
    """g ((1 + t) + x (1 - t^2) sqrt(2/pi) (1 + 3 0.044715 x^2)) / 2, with t given."""
    slope = x * x
    slope *= 3 * CUBIC
    slope += 1
    slope *= x
    slope *= ROOT
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    slope *= g
    return slope
