"""Layer normalisation on the CPU: the reference, a block of rows at a time, by every thread on its share of them."""

from __future__ import annotations

import numpy as np

from ..reference import norm as reference
from .pool import share

BLOCK_BYTES = 512 * 1024  # of one array: pool.py says why not less
WORTH_SHARING = 32 * 1024  # numbers


def supports(*arrays) -> bool:
    """Arrays (some perhaps None) that can be cut into rows, the first two (R, D)."""
    return all(a is None or type(a) is np.ndarray for a in arrays) and arrays[0].size > 0


def _supports(x, weight, bias, eps) -> bool:
    return supports(x, weight, bias)


def in_parts(function, rows: int, width: int, worth_sharing: int):
    """[function(start, stop)] for the parts of range(rows), one per thread, in order."""
    if rows * width < worth_sharing:
        return [function(0, rows)]
    results: dict = {}

    def part(start, stop):
        results[start] = function(start, stop)

    share(part, rows)
    return [results[start] for start in sorted(results)]


@reference.layer_norm.override(_supports)
def layer_norm(x, weight, bias, eps):
    """layer_norm, block by block."""
    rows, width = x.shape
    y, mean, rstd = np.empty(x.shape, x.dtype), np.empty((rows, 1), x.dtype), np.empty((rows, 1), x.dtype)
    step = max(1, BLOCK_BYTES // (width * x.itemsize))

    def part(start, stop):
        for i in range(start, stop, step):
            j = min(stop, i + step)
            y[i:j], mean[i:j], rstd[i:j] = reference.layer_norm.reference(x[i:j], weight, bias, eps)

    in_parts(part, rows, width, WORTH_SHARING)
    return y, mean, rstd


@reference.layer_norm_grad.override(supports)
def layer_norm_grad(g, x, mean, rstd, weight):
    """layer_norm_grad, block by block; the sums of the blocks are added in the order of the threads."""
    rows, width = x.shape
    dx = np.empty(x.shape, x.dtype)
    step = max(1, BLOCK_BYTES // (width * x.itemsize))

    def part(start, stop):
        dweight, dbias = np.zeros(width, x.dtype), np.zeros(width, x.dtype)
        for i in range(start, stop, step):
            j = min(stop, i + step)
            one = reference.layer_norm_grad.reference(g[i:j], x[i:j], mean[i:j], rstd[i:j], weight)
            dx[i:j] = one[0]
            dweight += one[1]
            dbias += one[2]
        return dweight, dbias

    (dweight, dbias), *others = in_parts(part, rows, width, WORTH_SHARING)
    for w, b in others:
        dweight += w
        dbias += b
    return dx, dweight, dbias
