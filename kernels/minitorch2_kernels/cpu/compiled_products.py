"""Products of float32 matrices shared without the interpreter's lock: worth it from a tenth of the size on from which
it pays to hand a part to another thread of Python (matmul.py).

A linear layer of few rows is not a product for BLAS, which lays out its weight anew in every call: for four rows of 400
and 120 outputs that takes longer than to multiply. Compiled for as many rows as a register holds sums of, it takes 0.4
of BLAS's time forward and 0.6 backward, 0.5 and 0.8 for eight."""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference_conv
from ..reference import matmul as reference
from .alike import alike, alike_float32
from .blas import one_thread
from .gemm import sgemm_address
from .jit import Loops
from .matmul import ALONE
from .pool import parts_of, share_loop

loops = Loops("product_loops")

WORTH_SHARING = 1 << 20  # multiplications
FEW = 8  # rows, up to which to lay out the weight for BLAS takes as long as the product
_TILE = 48  # tile.py's greatest width
_NO_BIAS = np.zeros(0, np.float32)


def _is_matrix(a) -> bool:
    return type(a) is np.ndarray and a.ndim == 2 and a.dtype == np.float32


def _worth_it(a, b) -> bool:
    return (
        _is_matrix(a)
        and _is_matrix(b)
        and a.size * b.shape[1] > WORTH_SHARING
        and a.shape[1] == b.shape[0]
        and a.flags.forc
        and b.flags.forc
        and sgemm_address() != 0
    )


def _share_products(work, loop, n: int, *arguments) -> None:
    """share_loop, with BLAS held to one thread: a small product it computes in this thread anyway, and to say so takes
    as long."""
    if work < ALONE:
        loop(*arguments, 0, n)
    else:
        with one_thread():
            share_loop(work / WORTH_SHARING, loop, n, *arguments)


def _product(a, b, bias) -> np.ndarray:
    m, n = a.shape[0], b.shape[1]
    out = np.empty((m, n), np.float32)
    a_turned, b_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    matrices = a.T if a_turned else a, a_turned, b.T if b_turned else b, b_turned
    _share_products(a.size * n, loops.product, max(m, n), sgemm_address(), *matrices, bias, out, m >= n)
    return out


def matmul(a, b):
    """The longer side of the product is cut into one part for each thread."""
    return _product(a, b, _NO_BIAS)


def _fits(x, weight, bias) -> bool:
    return (
        _is_matrix(x)
        and alike(weight, x, bias)
        and weight.ndim == 2
        and x.size > 0
        and weight.size > 0
        and x.shape[1] == weight.shape[1]
        and sgemm_address() != 0
    )


def linear(x, weight, bias):
    """Every thread takes some of the columns, or rows where they are more, and adds the bias to its part."""
    m, n, bias = len(x), len(weight), _NO_BIAS if bias is None else bias
    y, work = np.empty((m, n), np.float32), x.size * n
    if m <= FEW:
        share_loop(work / WORTH_SHARING, loops.linear_of_few, n, x, weight, bias, y)
    else:
        matrices = x, False, weight, True, bias, y
        _share_products(work, loops.product, max(m, n), sgemm_address(), *matrices, m >= n)
    return y


_NONE = np.zeros((0, 0), np.float32)


def _fits_back(g, x, weight, with_bias) -> bool:
    return (
        _is_matrix(g)
        and alike(g, x, weight)
        and g.size > 0
        and (x is None or x.size > 0)
        and (weight is None or weight.size > 0)
        and sgemm_address() != 0
    )


def linear_grad(g, x, weight, with_bias):
    """linear_grad in one call, which enters compiled code once: every thread takes its rows of each result."""
    rows, outputs = g.shape
    inputs = (weight if x is None else x).shape[1] if x is not None or weight is not None else 0
    dx = _NONE if weight is None else np.empty((rows, inputs), np.float32)
    dw = _NONE if x is None else np.empty((outputs, inputs), np.float32)
    db = np.empty(outputs, np.float32) if with_bias else _NO_BIAS
    work = g.size * inputs * ((x is not None) + (weight is not None))
    parts = parts_of(max(rows, outputs)) if work >= WORTH_SHARING else 1
    matrices = g, _NONE if x is None else x, _NONE if weight is None else weight, dx, dw, db
    if rows <= FEW and inputs >= parts * _TILE:
        share_loop(work / WORTH_SHARING, loops.linear_grad_of_few, parts, parts, *matrices)
    else:
        _share_products(work, loops.linear_grad, parts, sgemm_address(), parts, *matrices)
    return None if weight is None else dx, None if x is None else dw, db if with_bias else None


def _is_one_image(x, w, stride, padding, dilation, groups) -> bool:
    """One image, its channels mixed pixel by pixel: a product of matrices."""
    return (
        len(x) == groups == 1
        and w.shape[2:] == (1, 1)
        and stride == (1, 1)
        and padding == (0, 0)
        and alike_float32(x, w)
        and x.size * len(w) > WORTH_SHARING
        and sgemm_address() != 0
    )


def conv2d(x, w, *settings):
    """The product by parts of the pixels, or of the channels out."""
    y = _product(w.reshape(len(w), -1), x.reshape(x.shape[1], -1), _NO_BIAS)
    return y.reshape(1, len(w), *x.shape[2:])


def register() -> None:
    """Puts the compiled kernels before the others."""
    reference.matmul.override(_worth_it)(matmul)
    reference.linear.override(_fits)(linear)
    reference.linear_grad.override(_fits_back)(linear_grad)
    reference_conv.conv2d.override(_is_one_image)(conv2d)
