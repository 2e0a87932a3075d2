"""VonMises."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..autograd import no_grad
from ..core.dtypes import float64
from ..functions import cos, where
from ..random import rand
from ..special import i0e, i1e
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Over angles: density proportional to exp(concentration * cos(x - loc)); tensors, broadcast.

    Samples lie in [-pi, pi); loc and the values of log_prob count modulo 2 pi. mean and variance are those of
    directions: loc, and 1 - the length of the mean vector. The Bessel functions in them are exact to the dtype's last
    digits, torch's series to 7.
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _parameters = ("loc", "concentration")

    def __init__(self, loc, concentration, validate_args: bool | None = None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @lazy_property
    def variance(self) -> Any:
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def sample(self, sample_shape=()):
        """Wrapped Cauchy numbers, of which each is kept or drawn again. torch's samples of one seed.

        Source: Best and Fisher, "Efficient simulation of the von Mises distribution", Applied Statistics 28 (1979).
        """
        with no_grad():
            k, loc = self.concentration.to(float64), self.loc.to(float64)  # in float32 small k would never be kept
            tau = 1 + (1 + 4 * k**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            r = where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))  # 0 / 0 for small k
            x = loc.new_zeros(self._extended_shape(sample_shape))
            missing = x == 0
            while missing.any():
                u1, u2, u3 = rand((3, *x.shape), dtype=float64, device=x.device)
                z = cos(math.pi * u1)
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                kept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = where(kept, (u3 - 0.5).sign() * f.acos(), x)  # like torch also where there is one already
                missing = missing & ~kept
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def log_prob(self, value):
        self._check(value)
        k = self.concentration  # i0(k) is i0e(k) * exp(k)
        return k * (cos(value - self.loc) - 1) - math.log(2 * math.pi) - i0e(k).log()
