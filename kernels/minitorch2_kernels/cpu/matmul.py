"""Matrix products on our own threads.

BLAS's threads go on spinning for milliseconds after a product, waiting for the next one, and take a core from whatever
our pool does then: two linear layers made the two convolutions beside them 1.5 times slower. So a large product is cut
into parts for our threads, with BLAS held to one; a middling one is computed in the calling thread alone, where a small
one is computed by BLAS anyway.
"""

from __future__ import annotations

import math

import numpy as np

from ..reference import matmul as reference
from .blas import controllable, one_thread
from .pool import share

ALONE = 4 * 65536  # multiplications up to which OpenBLAS wakes no thread
WORTH_SHARING = 12 << 20  # multiplications; below, waking another thread costs a training step more than its half


def _large(a, b) -> bool:
    """Whether BLAS would wake a thread for this product of matrices."""
    return (
        a.ndim == b.ndim == 2
        and a.size * b.shape[1] > ALONE
        and controllable
        and a.dtype == b.dtype
        and a.dtype.kind == "f"
        and a.shape[1] == b.shape[0]
    )


def _on_cpu(a, b, *bias) -> bool:
    return type(a) is np.ndarray and type(b) is np.ndarray


def _many(a, b):
    """Other products than of two matrices: those of a batch shared by the threads, each computed by BLAS alone."""
    work = a.size * (b.shape[-1] if b.ndim > 1 else 1)
    if work <= ALONE:
        return np.matmul(a, b)
    if work < WORTH_SHARING or min(a.ndim, b.ndim) < 3 or a.shape[:-2] != b.shape[:-2] or a.dtype != b.dtype:
        with one_thread():
            return np.matmul(a, b)
    out = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    n, (x, y, z) = math.prod(a.shape[:-2]), (m.reshape(-1, *m.shape[-2:]) for m in (a, b, out))
    share(lambda start, stop: np.matmul(x[start:stop], y[start:stop], out=z[start:stop]), n)
    return out


@reference.matmul.override(_on_cpu)
def matmul(a, b):
    """The longer side of a large product is cut into one part for each thread."""
    if not _large(a, b):
        return _many(a, b)
    m, n = a.shape[0], b.shape[1]
    out = np.empty((m, n), a.dtype)
    if m * n * a.shape[1] < WORTH_SHARING:
        with one_thread():
            np.matmul(a, b, out=out)
    elif m >= n:
        share(lambda start, stop: np.matmul(a[start:stop], b, out=out[start:stop]), m)
    else:
        share(lambda start, stop: np.matmul(a, b[:, start:stop], out=out[:, start:stop]), n)
    return out


@reference.linear.override(_on_cpu)
def linear(x, weight, bias):
    """matmul, and every thread adds the bias to its part."""
    turned = weight.T
    if not _large(x, turned) or (bias is not None and bias.dtype != x.dtype):
        return reference.linear.reference(x, weight, bias)
    m, n = x.shape[0], weight.shape[0]
    out = np.empty((m, n), x.dtype)

    def rows(start, stop):
        np.matmul(x[start:stop], turned, out=out[start:stop])
        if bias is not None:
            out[start:stop] += bias

    def columns(start, stop):
        np.matmul(x, turned[:, start:stop], out=out[:, start:stop])
        if bias is not None:
            out[:, start:stop] += bias[start:stop]

    if m * n * x.shape[1] < WORTH_SHARING:
        with one_thread():
            rows(0, m)
    elif m >= n:
        share(rows, m)
    else:
        share(columns, n)
    return out
