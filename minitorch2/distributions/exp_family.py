"""ExponentialFamily."""

from __future__ import annotations

from typing import Any

from ..autograd import grad
from .distribution import Distribution
from .utils import Undefined, _sum_rightmost

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Of density exp(<t(x), a> - F(a) + k(x)): a are the natural parameters, F is the log normalizer, k the carrier.

    A subclass that gives `_natural_params`, a tuple of tensors, and `_log_normalizer(*a)` has kl_divergence between two
    of it, and with `_mean_carrier_measure`, the mean of k, its entropy, by the derivatives of F. As in torch they take
    this distribution's parameters for constants: only the second one of a divergence gets a gradient.
    """

    _natural_params: Any = Undefined()
    _mean_carrier_measure: Any = Undefined()

    def _log_normalizer(self, *natural_params) -> Any:
        raise NotImplementedError(f"{type(self)} does not implement _log_normalizer")

    def entropy(self):
        carrier = self._mean_carrier_measure
        natural, norm, means = self._moments()
        return norm - carrier - sum(self._dots(natural, means))

    def _moments(self):
        """(a, F(a), the gradient of F at a, which is the mean of t(x))."""
        natural = [x.detach().requires_grad_() for x in self._natural_params]
        norm = self._log_normalizer(*natural)
        return natural, norm, grad(norm.sum(), natural, create_graph=True)

    def _dots(self, xs, ys):
        """x * y summed over each event, for all natural parameters."""
        for x, y, own in zip(xs, ys, self._natural_params, strict=True):
            yield _sum_rightmost(x * y, own.ndim - len(self._batch_shape))
