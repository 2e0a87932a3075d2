"""Products of float32 matrices shared without the interpreter's lock: worth it from a tenth of the size on from which
it pays to hand a part to another thread of Python (matmul.py).

A linear layer of few rows is not a product for BLAS, which lays out its weight anew in every call: for four rows of 400
and 120 outputs that takes longer than to multiply. Compiled for as many rows as a register holds sums of, it takes 0.4
of BLAS's time forward and 0.6 backward, 0.5 and 0.8 for eight."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..reference import conv as reference_conv
from ..reference import matmul as reference
from ..reference.arithmetic import LONG as LONG_ARRAY
from ..reference.arithmetic import long_times
from ..reference.copying import ascontiguousarray, copy_to
from .alike import alike, alike_float32
from .blas import one_thread
from .gemm import PANEL, PLAIN, TRANSPOSED, best_sgemm, is_wide, sgemm_address
from .jit import Loops
from .matmul import ALONE
from .pointwise import plain
from .pool import get_num_threads, parts_of, share_loop

loops = Loops("product_loops")

WORTH_SHARING = 1 << 20  # multiplications
WORTH_ADDING = 8 * 1024  # numbers
ROWS = 4  # of a tile: no thread's part of them ends within one
LONG = 256  # rows of a part of a weight's gradient, from which on sums of its own are worth their adding up
SMALLEST = 4096  # multiplications of one of many products; NumPy's own loop has the smaller ones sooner
FEW = 8  # rows, up to which to lay out the weight for BLAS takes as long as the product
_TILE = 48  # tile.py's greatest width
NO_BIAS = np.zeros(0, np.float32)


def _is_matrix(a) -> bool:
    return type(a) is np.ndarray and a.ndim == 2 and a.dtype == np.float32


def _worth_it(a, b) -> bool:
    return (
        _is_matrix(a)
        and _is_matrix(b)
        and a.size * b.shape[1] > WORTH_SHARING
        and a.shape[1] == b.shape[0]
        and sgemm_address() != 0
    )


def _share_products(work, loop, n: int, sgemms, *arguments) -> None:
    """share_loop(loop, n, *sgemms, *arguments), with BLAS held to one thread where it is among them: a small product it
    computes in this thread anyway, and to say so takes as long."""
    if work < ALONE:
        loop(*sgemms, *arguments, 0, n)
    else:
        with one_thread() if sgemm_address() in sgemms else nullcontext():
            share_loop(work / WORTH_SHARING, loop, n, *sgemms, *arguments)


def product(a, a_turned, b, b_turned, bias, out) -> None:
    """out = a b + bias, of which every thread makes some rows, or columns where they are more."""
    (m, n), k = out.shape, a.shape[0] if a_turned else a.shape[1]
    work, by_rows = m * n * k, m >= n
    length, unit = (m, ROWS) if by_rows else (n, PANEL)
    parts = parts_of(length) if work >= WORTH_SHARING else 1
    sgemm = best_sgemm(-(-m // parts), n, k) if by_rows else best_sgemm(m, -(-n // parts), k)
    arrays = a, a_turned, b, b_turned, bias, out
    _share_products(work, loops.product, -(-length // unit), (sgemm,), *arrays, by_rows, unit)


def matmul(a, b):
    """The longer side of the product is cut into one part for each thread."""
    a, b = (a if a.flags.forc else ascontiguousarray(a)), (b if b.flags.forc else ascontiguousarray(b))
    a_turned, b_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    product(a.T if a_turned else a, a_turned, b.T if b_turned else b, b_turned, NO_BIAS, out)
    return out


def _is_outer(a, b) -> bool:
    return _is_matrix(a) and _is_matrix(b) and a.shape[1] == b.shape[0] == 1 and a.size * b.size >= LONG_ARRAY


def outer(a, b):
    """A column times a row, which is no product for BLAS."""
    return long_times(a, b)


@functools.lru_cache(maxsize=1024)
def _lie(shape, strides) -> Any:
    """How float32 matrices (..., rows, columns) lie in memory: (where each begins in bytes, cblas's form, how far rows
    are apart in numbers). None if neither their rows nor their columns are without gaps."""
    *batch, rows, columns = shape
    *steps, down, right = strides
    if (right == 4 or columns == 1) and (down >= 4 * columns or rows == 1):  # one of a dim may have any stride
        form, apart = PLAIN, down if rows > 1 else 4 * columns
    elif (down == 4 or rows == 1) and (right >= 4 * rows or columns == 1):
        form, apart = TRANSPOSED, right if columns > 1 else 4 * rows
    else:
        return None
    places = np.zeros(1, np.int64)
    for n, step in zip(batch, steps, strict=True):
        places = np.add.outer(places, np.arange(n) * step).reshape(-1)
    return (places, form, apart // 4) if apart % 4 == 0 else None


def _are_many(a, b) -> bool:
    if not (type(a) is np.ndarray and type(b) is np.ndarray and a.dtype == b.dtype == np.float32):
        return False
    if a.ndim != b.ndim or a.ndim < 3 or a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        return False
    each = a.shape[-2] * a.shape[-1] * b.shape[-1]
    return (
        each >= SMALLEST
        and a.size // (a.shape[-2] * a.shape[-1]) >= get_num_threads()
        and a.size * b.shape[-1] > WORTH_SHARING
        and sgemm_address() != 0
    )


def many(a, b):
    """Every thread computes some of the products."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    a, b = (x if _lie(x.shape, x.strides) else ascontiguousarray(x) for x in (a, b))
    out = np.empty((*a.shape[:-1], n), np.float32)
    places, form, apart = _lie(a.shape, a.strides)
    arguments = k, a.ctypes.data, places, form, apart, b.ctypes.data, *_lie(b.shape, b.strides), out.reshape(-1, m, n)
    _share_products(out.size * k, loops.products, len(places), (best_sgemm(m, n, k),), *arguments)
    return out


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
    m, n, bias = len(x), len(weight), NO_BIAS if bias is None else bias
    y, work = np.empty((m, n), np.float32), x.size * n
    if m <= FEW:
        share_loop(work / WORTH_SHARING, loops.linear_of_few, n, x, weight, bias, y)
    else:
        product(x, False, weight, True, bias, y)
    return y


_NONE = np.zeros((0, 0), np.float32)


def _sum(parts, total) -> None:
    """total = the sum of `parts`, arrays like it, in their order."""
    size = total.size
    share_loop(size / WORTH_ADDING, loops.add_parts, size, parts.reshape(len(parts), size), total.reshape(-1))


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
    work = g.size * inputs * ((x is not None) + (weight is not None))
    parts = parts_of(max(rows, outputs)) if work >= WORTH_SHARING else 1
    dbs = np.empty((parts, outputs if with_bias else 0))
    arrays = g, _NONE if x is None else x, _NONE if weight is None else weight, dx
    if rows <= FEW and inputs >= parts * _TILE:
        share_loop(work / WORTH_SHARING, loops.linear_grad_of_few, parts, parts, *arrays, dw, dbs)
    else:
        some_rows = -(-rows // parts)
        of_x, by_rows = best_sgemm(some_rows, inputs, outputs), parts > 1 and x is not None and some_rows >= LONG
        if by_rows:
            dws, of_weight = np.empty((parts, outputs, inputs), np.float32), best_sgemm(outputs, inputs, some_rows)
        else:
            dws, of_weight = dw[None], best_sgemm(-(-outputs // parts), inputs, rows)
        _share_products(work, loops.linear_grad, parts, (of_x, of_weight), parts, *arrays, dws, dbs)
        if by_rows:
            _sum(dws, dw)
    db = (dbs[0] if parts == 1 else dbs.sum(axis=0)).astype(np.float32) if with_bias else None
    return None if weight is None else dx, None if x is None else dw, db


def _is_one_image(x, w, stride, padding, dilation, groups) -> bool:
    """One image, its channels mixed pixel by pixel: a product of matrices."""
    return (
        len(x) == 1
        and plain(x, w, w.shape[2:], stride, padding, groups)
        and alike_float32(x, w)
        and x.size * len(w) > WORTH_SHARING
        and sgemm_address() != 0
    )


def conv2d(x, w, *settings):
    """The product by parts of the pixels, or of the channels out."""
    y, pixels = np.empty((1, len(w), *x.shape[2:]), x.dtype), x.size // x.shape[1]
    product(w.reshape(len(w), -1), False, x.reshape(-1, pixels), False, NO_BIAS, y.reshape(-1, pixels))
    return y


def _mixes(a, b, khw, stride, padding, groups) -> bool:
    """Images large enough for products of their own, their channels mixed pixel by pixel."""
    return (
        plain(a, b, khw, stride, padding, groups)
        and alike_float32(a, b)
        and len(a) >= get_num_threads()
        and is_wide(a.shape[2] * a.shape[3])
        and sgemm_address() != 0
    )


def _each_way(fits, least):
    """Which convolutions, gradients of the input and of the weight are taken: those of arrays, window and settings that
    fit, and of more than least() multiplications."""

    def forward(x, w, stride, padding, dilation, groups) -> bool:
        return fits(x, w, w.shape[2:], stride, padding, groups) and x.size * len(w) > least()

    def back(g, w, hw, stride, padding, dilation, groups) -> bool:
        return fits(g, w, w.shape[2:], stride, padding, groups) and g.size * w.shape[1] > least()

    def weight(g, x, khw, stride, padding, dilation, groups) -> bool:
        return fits(g, x, khw, stride, padding, groups) and g.size * x.shape[1] > least()

    return forward, back, weight


def planes(x) -> np.ndarray:
    """x (N, C, H, W) as (N, C, P)."""
    return x.reshape(*x.shape[:2], -1)


def _mixed(matrix, x) -> np.ndarray:
    """matrix (O, C) times every image of x (N, C, H, W)."""
    (outputs, channels), n, places = matrix.shape, len(x), x.shape[2] * x.shape[3]
    y = np.empty((n, outputs, *x.shape[2:]), x.dtype)
    sgemm = best_sgemm(outputs, places, channels)
    _share_products(y.size * channels, loops.mix_channels, n, (sgemm,), matrix, planes(x), planes(y))
    return y


def mixed_conv2d(x, w, *settings):
    """The product with every image; each thread has some of these."""
    return _mixed(w.reshape(w.shape[:2]), x)


def mixed_conv2d_input_grad(g, w, *settings):
    """As forward, with the weight turned."""
    return _mixed(ascontiguousarray(w.reshape(w.shape[:2]).T), g)


def mixed_conv2d_weight_grad(g, x, *settings):
    """Each thread sums over its own images; the sums are added in the order of the threads."""
    (outputs, channels), places = (g.shape[1], x.shape[1]), x.shape[2] * x.shape[3]
    dw, parts = np.empty((outputs, channels, 1, 1), x.dtype), parts_of(len(g))
    dws = np.empty((parts, outputs, channels), x.dtype) if parts > 1 else dw.reshape(1, outputs, channels)
    sgemm = best_sgemm(outputs, channels, places)
    _share_products(g.size * channels, loops.mix_channels_grad, parts, (sgemm,), planes(g), planes(x), dws)
    if parts > 1:
        _sum(dws, dw)
    return dw


def _mixes_few(a, b, khw, stride, padding, groups) -> bool:
    """Images too small for products of their own, but together worth one."""
    return (
        plain(a, b, khw, stride, padding, groups)
        and alike_float32(a, b)
        and not is_wide(a.shape[2] * a.shape[3])
        and len(a) > 1
        and sgemm_address() != 0
    )


def beside(x) -> np.ndarray:
    """Images x (N, C, H, W) side by side: (C, N*H*W)."""
    n, channels, height, width = x.shape
    columns = np.empty((channels, n, height * width), x.dtype)
    copy_to(columns, planes(x).swapaxes(0, 1))
    return columns.reshape(channels, n * height * width)


def apart(columns, n: int, height: int, width: int) -> np.ndarray:
    """The images that are side by side: (N, C, H, W)."""
    y = np.empty((n, len(columns), height, width), columns.dtype)
    copy_to(planes(y).swapaxes(0, 1), columns.reshape(len(columns), n, -1))
    return y


def _mixed_beside(matrix, turned: bool, x) -> np.ndarray:
    """The product of a matrix (O, C), or of one (C, O) `turned`, with images laid side by side."""
    columns = beside(x)
    mixed = np.empty((matrix.shape[1] if turned else matrix.shape[0], columns.shape[1]), x.dtype)
    product(matrix, turned, columns, False, NO_BIAS, mixed)
    return apart(mixed, len(x), *x.shape[2:])


def beside_conv2d(x, w, *settings):
    """One product with all images side by side."""
    return _mixed_beside(w.reshape(w.shape[:2]), False, x)


def beside_conv2d_input_grad(g, w, *settings):
    """As forward, with the weight turned."""
    return _mixed_beside(w.reshape(w.shape[:2]), True, g)


def beside_conv2d_weight_grad(g, x, *settings):
    """The product of both laid side by side."""
    dw = np.empty((g.shape[1], x.shape[1]), x.dtype)
    product(beside(g), False, beside(x), True, NO_BIAS, dw)
    return dw.reshape(*dw.shape, 1, 1)


def register() -> None:
    """Puts the compiled kernels before the others."""
    kernels = reference_conv.conv2d, reference_conv.conv2d_input_grad, reference_conv.conv2d_weight_grad
    mixed = mixed_conv2d, mixed_conv2d_input_grad, mixed_conv2d_weight_grad
    together = beside_conv2d, beside_conv2d_input_grad, beside_conv2d_weight_grad
    for supports, overrides in (
        (_each_way(_mixes, lambda: WORTH_SHARING), mixed),
        (_each_way(_mixes_few, lambda: ALONE), together),
    ):
        for kernel, supported, override in zip(kernels, supports, overrides, strict=True):
            kernel.override(supported)(override)
    reference.matmul.override(_worth_it)(matmul)
    reference.matmul.override(_is_outer)(outer)
    reference.matmul.override(_are_many)(many)
    reference.linear.override(_fits)(linear)
    reference.linear_grad.override(_fits_back)(linear_grad)
    reference_conv.conv2d.override(_is_one_image)(conv2d)
