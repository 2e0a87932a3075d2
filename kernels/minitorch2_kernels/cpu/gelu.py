"""GELU on the CPU, a block at a time; in float32 without erf.

Phi(x) = 1 / (1 + exp(-x P(x^2))) for a polynomial P, for log(Phi / (1 - Phi)) is odd and nearly linear. One exponential
and a polynomial of degree 6 take a half of the passes that erf and its two branches take.
"""

from __future__ import annotations

import math

import numpy as np

from ..reference import gelu as reference
from .conv import workspace
from .pool import share

BLOCK = 64 * 1024  # numbers: pool.py says why not fewer
WORTH_SHARING = 64 * 1024

# -P, highest power first: a Remez fit of our own in x^2 up to |x| = 5.6, weighted with Phi (1 - Phi) |x|, so that Phi
# is off by less than 2.9e-8, a half of float32's unit. Beyond, P grows, and Phi goes to 0 and 1.
MINUS_P = (
    -3.51239052e-9,
    2.6452856e-7,
    -7.92951469e-6,
    1.10612547e-4,
    6.51895041e-5,
    -7.26661686e-2,
    -1.59576988,
)


def _supports(*args) -> bool:
    return all(type(a) is np.ndarray and a.dtype == np.float32 and a.flags.c_contiguous for a in args)


def share_blocks(function, size: int) -> None:
    """Calls function(i, j) for blocks of range(size), shared between the threads where there are many."""

    def part(start, stop):
        for i in range(start, stop, BLOCK):
            function(i, min(stop, i + BLOCK))

    if size < WORTH_SHARING:
        part(0, size)
    else:
        share(part, size)


@reference.gelu.override(_supports)
def gelu(x):
    """gelu by the exponential of a polynomial: two fifths of the time of erf's."""
    y, phi = np.empty_like(x), np.empty_like(x)
    numbers, results, phis = x.reshape(-1), y.reshape(-1), phi.reshape(-1)

    def block(i, j):
        number, p = numbers[i:j], phis[i:j]
        square = workspace("gelu", BLOCK, x.dtype)[: j - i]
        np.multiply(number, number, out=square)
        np.multiply(square, MINUS_P[0], out=p)
        p += MINUS_P[1]
        for c in MINUS_P[2:]:
            p *= square
            p += c
        p *= number
        np.exp(p, out=p)
        p += 1
        np.reciprocal(p, out=p)
        np.multiply(number, p, out=results[i:j])

    share_blocks(block, x.size)
    return y, phi


@reference.gelu_grad.override(_supports)
def gelu_grad(g, x, phi):
    """gelu_grad, block by block."""
    dx = np.empty_like(x)
    gradients, numbers, phis, results = (a.reshape(-1) for a in (g, x, phi, dx))

    def block(i, j):
        number, slope = numbers[i:j], results[i:j]
        np.multiply(number, number, out=slope)
        slope *= -0.5
        np.exp(slope, out=slope)
        slope *= number
        slope *= 1 / math.sqrt(2 * math.pi)
        slope += phis[i:j]
        slope *= gradients[i:j]

    share_blocks(block, x.size)
    return dx


@reference.gelu_tanh.override(_supports)
def gelu_tanh(x):
    """gelu_tanh, block by block."""
    y, t = np.empty_like(x), np.empty_like(x)
    numbers, results, tangents = x.reshape(-1), y.reshape(-1), t.reshape(-1)

    def block(i, j):
        results[i:j], tangents[i:j] = reference.gelu_tanh.reference(numbers[i:j])

    share_blocks(block, x.size)
    return y, t


@reference.gelu_tanh_grad.override(_supports)
def gelu_tanh_grad(g, x, t):
    """gelu_tanh_grad, block by block."""
    dx = np.empty_like(x)
    gradients, numbers, tangents, results = (a.reshape(-1) for a in (g, x, t, dx))

    def block(i, j):
        results[i:j] = reference.gelu_tanh_grad.reference(gradients[i:j], numbers[i:j], tangents[i:j])

    share_blocks(block, x.size)
    return dx
