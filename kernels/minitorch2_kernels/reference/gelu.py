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
    xp = namespace(x)
    slope = x * x
    slope *= -0.5
    xp.exp(slope, out=slope)
    slope *= x
    slope *= 1 / math.sqrt(2 * math.pi)
    slope += phi
    slope *= g
    return slope
