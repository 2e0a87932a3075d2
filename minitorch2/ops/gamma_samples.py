"""Samples of the gamma and of the Dirichlet distribution, differentiable in their parameter."""

from __future__ import annotations

from typing import Any

import minitorch2_kernels as K

from ..core import rejection
from ..core.function import Function
from .random import accepted
from .reduce import Sum


class StandardGamma(Function):
    """Samples of the gamma distribution of rate 1."""

    @staticmethod
    def forward(ctx, concentration):
        sample = accepted("standard_gamma", rejection.standard_gamma, concentration)
        ctx.save_for_backward(concentration, sample)
        return sample

    @staticmethod
    def backward(ctx, g):
        concentration, sample = ctx.saved
        return g * StandardGammaGrad.apply(concentration, sample)


class StandardGammaGrad(Function):
    """How the samples move with the concentration; has no derivative itself, as in torch."""

    @staticmethod
    def forward(ctx, concentration, sample):
        return K.standard_gamma_grad(concentration, sample)

    @staticmethod
    def backward(ctx, g) -> Any:
        raise NotImplementedError("the derivative for '_standard_gamma_grad: self' is not implemented")


class SampleDirichlet(Function):
    """Samples of the Dirichlet distribution along the last dim."""

    @staticmethod
    def forward(ctx, concentration):
        sample = accepted("dirichlet", rejection.dirichlet, concentration)
        ctx.save_for_backward(concentration, sample)
        return sample

    @staticmethod
    def backward(ctx, g):
        # a_i moves x_i by m_i (1 - x_i) and x_j, j != i, by -m_i x_j, which keeps the sum at 1: m_i (g_i - sum of g x)
        concentration, sample = ctx.saved
        moved = DirichletGrad.apply(sample, concentration)
        return moved * (g - Sum.apply(g * sample, (g.ndim - 1,), True))


class DirichletGrad(Function):
    """The factors m of SampleDirichlet's gradient; have no derivative themselves, as in torch."""

    @staticmethod
    def forward(ctx, sample, concentration):
        total = K.broadcast_to(concentration.sum(-1, keepdims=True), concentration.shape)
        return K.dirichlet_grad(sample, concentration, total)

    @staticmethod
    def backward(ctx, g) -> Any:
        raise NotImplementedError("the derivative for '_dirichlet_grad: x' is not implemented")


def standard_gamma(concentration):
    """Gamma numbers of rate 1 and these concentrations, float32 or float64. CPU only."""
    return StandardGamma.apply(concentration)


def dirichlet(concentration):
    """Probabilities along the last dim, for these concentrations, float32 or float64. CPU only."""
    return SampleDirichlet.apply(concentration)
