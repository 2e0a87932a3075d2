"""Products of matrices that threads share without the interpreter's lock. Importing this module imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .gemm import PLAIN, ROW_MAJOR, TRANSPOSED
from .loops import add_dots_of_four, copy, inner, jit, part_of
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, tile

_FORM, _SIZE, _REAL = ir.IntType(32), ir.IntType(64), ir.FloatType()
_SGEMM = ir.FunctionType(
    ir.VoidType(), [*[_FORM] * 3, *[_SIZE] * 3, _REAL, _SIZE, _SIZE, _SIZE, _SIZE, _REAL, _SIZE, _SIZE]
)


def _as_sgemm(typing_context, address, a_form, b_form, m, n, k, a, a_row, b, b_row, beta, c, c_row):
    """C = A B + beta C by the cblas_sgemm at this address. (Numba keeps on disk no code that refers to a function.)"""

    def generate(context, builder, signature, values):
        function, (a_form, b_form, *rest) = builder.inttoptr(values[0], _SGEMM.as_pointer()), values[1:]
        forms = _FORM(ROW_MAJOR), builder.trunc(a_form, _FORM), builder.trunc(b_form, _FORM)
        beta = builder.sitofp(rest[7], _REAL)
        builder.call(function, (*forms, *rest[:3], _REAL(1), *rest[3:7], beta, *rest[8:]))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 13), generate


times: Any = intrinsic(_as_sgemm)


@inner
def _cut(n, unit, part, parts):
    """(start, stop) of this part of range(n), in whole units."""
    start, stop = part_of(-(-n // unit), part, parts)
    return start * unit, min(n, stop * unit)


@shareable
@jit
def product(sgemm, a, a_turned, b, b_turned, bias, out, by_rows, unit, start, stop):
    """Units start to stop, of so many rows or columns, of out = a b + bias, for C-contiguous matrices; a_turned: a is
    there as a^T. No bias: an empty one. sgemm: its address."""
    m, n = out.shape
    k = a.shape[0] if a_turned else a.shape[1]
    top, bottom, left, right = 0, m, 0, n
    if by_rows:
        top, bottom = start * unit, min(m, stop * unit)
    else:
        left, right = start * unit, min(n, stop * unit)
    from_a, from_b, to = a.ctypes.data, b.ctypes.data, out.ctypes.data + (top * n + left) * out.itemsize
    from_a += (top if a_turned else top * a.shape[1]) * a.itemsize
    from_b += (left * b.shape[1] if b_turned else left) * b.itemsize
    a_form, b_form = TRANSPOSED if a_turned else PLAIN, TRANSPOSED if b_turned else PLAIN
    if len(bias) > 0:
        for r in range(top, bottom):
            copy(bias[left:right], out[r, left:right])
    beta = 1 if len(bias) > 0 else 0
    times(sgemm, a_form, b_form, bottom - top, right - left, k, from_a, a.shape[1], from_b, b.shape[1], beta, to, n)


@shareable
@jit
def products(sgemm, k, a, a_places, a_form, a_row, b, b_places, b_form, b_row, out, start, stop):
    """out[i] = a_i b_i, sums over k, for i from start to stop; out (N, m, n). The numbers of a_i begin at the address a
    + a_places[i], in cblas's form a_form, its rows a_row numbers apart; so for b. sgemm: its address."""
    _, m, n = out.shape
    to, size = out.ctypes.data, m * n * out.itemsize
    for i in range(start, stop):
        at = to + i * size
        times(sgemm, a_form, b_form, m, n, k, a + a_places[i], a_row, b + b_places[i], b_row, 0, at, n)


@shareable
@jit
def linear_grad(of_x, of_weight, parts, g, x, weight, dx, dws, dbs, start, stop):
    """Parts start to stop of dx = g weight, dw = g^T x and db, the sums of g's columns. What is empty is not wanted.

    A part takes some rows of dx and its row of dbs (parts, O), what these rows add to db: float64's. dws (1, O, I) is
    dw, of which it takes some rows as well, or (parts, O, I), what its rows of g and x, which it has read for dx, add
    to dw. of_x, of_weight: the addresses of sgemm for dx and dw."""
    (rows, outputs), inputs = g.shape, max(x.shape[1], weight.shape[1])
    of_g, size = g.ctypes.data, g.itemsize
    for part in range(start, stop):
        first, last = _cut(rows, ROWS, part, parts)
        if dx.size > 0 and last > first:
            a, b, c = of_g + first * outputs * size, weight.ctypes.data, dx.ctypes.data + first * inputs * size
            times(of_x, PLAIN, PLAIN, last - first, inputs, outputs, a, outputs, b, inputs, 0, c, inputs)
        if dbs.size > 0:
            _column_sums(g, dbs[part], first, last)
        if len(dws) > 1:
            a, b, c = of_g + first * outputs * size, x.ctypes.data + first * inputs * size, dws[part].ctypes.data
            times(of_weight, TRANSPOSED, PLAIN, outputs, inputs, last - first, a, outputs, b, inputs, 0, c, inputs)
        first, last = _cut(outputs, ROWS, part, parts)
        if len(dws) == 1 and dws.size > 0 and last > first:
            a, b, c = of_g + first * size, x.ctypes.data, dws.ctypes.data + first * inputs * size
            times(of_weight, TRANSPOSED, PLAIN, last - first, inputs, rows, a, outputs, b, inputs, 0, c, inputs)


@jit
def _column_sums(g, sums, first, last):
    """sums = those of g's columns, over rows first to last; eight at a time, so that few sums go to memory."""
    for j in range(len(sums)):
        sums[j] = 0
    for r in range(first, last - 7, 8):
        g0, g1, g2, g3, g4, g5, g6, g7 = g[r], g[r + 1], g[r + 2], g[r + 3], g[r + 4], g[r + 5], g[r + 6], g[r + 7]
        for j in range(len(sums)):
            two, four = np.float64(g0[j]) + g1[j], np.float64(g2[j]) + g3[j]
            six, eight = np.float64(g4[j]) + g5[j], np.float64(g6[j]) + g7[j]
            sums[j] += (two + four) + (six + eight)
    for r in range(last - (last - first) % 8, last):
        row = g[r]
        for j in range(len(sums)):
            sums[j] += row[j]


@shareable
@jit
def mix_channels(sgemm, w, x, y, start, stop):
    """y[n] = w x[n] for images start to stop; w (O, C), x (N, C, P), y (N, O, P). sgemm: its address."""
    (outputs, channels), places = w.shape, x.shape[2]
    for n in range(start, stop):
        image, to = x[n].ctypes.data, y[n].ctypes.data
        times(sgemm, PLAIN, PLAIN, outputs, places, channels, w.ctypes.data, channels, image, places, 0, to, places)


@shareable
@jit
def mix_channels_grad(sgemm, g, x, dws, start, stop):
    """dws[part] = the sum of g[n] x[n]^T over the images of parts start to stop; g (N, O, P), x (N, C, P), dws (parts,
    O, C)."""
    outputs, channels, places, parts = g.shape[1], x.shape[1], x.shape[2], len(dws)
    for part in range(start, stop):
        first, last = part_of(len(g), part, parts)
        to = dws[part].ctypes.data
        for n in range(first, last):
            a, b, onto = g[n].ctypes.data, x[n].ctypes.data, 0 if n == first else 1
            times(sgemm, PLAIN, TRANSPOSED, outputs, channels, places, a, places, b, places, onto, to, channels)


@shareable
@jit
def add_parts(parts, total, start, stop):
    """total[start:stop] = the sum of parts (P, n), P > 1, in their order."""
    total, first = total[start:stop], parts[0, start:stop]
    for p in range(1, len(parts)):
        more = parts[p, start:stop]
        for i in range(len(total)):
            total[i] = (first[i] if p == 1 else total[i]) + more[i]


@jit
def _in_fours(x):
    """x, with rows of zeros behind it where its rows are not in fours."""
    rows = -(-len(x) // ROWS) * ROWS
    if rows == len(x):
        return x
    full = np.zeros((rows, x.shape[1]), x.dtype)
    copy(x.reshape(-1), full.reshape(-1)[: x.size])
    return full


@shareable
@jit
def linear_of_few(x, weight, bias, y, start, stop):
    """Columns start to stop of y = x weight^T + bias, four rows at a time. No bias: an empty one."""
    rows, inputs = _in_fours(x), x.shape[1]
    sums = np.zeros((len(rows), stop - start), y.dtype)
    if len(bias) > 0:
        for r in range(len(sums)):
            copy(bias[start:stop], sums[r])
    source, offsets = weight.reshape(-1), np.arange(start, stop) * inputs
    for r in range(0, len(rows), ROWS):
        add_dots_of_four(source, rows[r : r + ROWS], offsets, sums[r : r + ROWS], 0, inputs)
    for r in range(len(y)):
        copy(sums[r], y[r, start:stop])


@shareable
@jit
def linear_grad_of_few(parts, g, x, weight, dx, dw, dbs, start, stop):
    """As linear_grad, four rows at a time; a part takes some columns of dx, no fewer than a tile is wide, and some rows
    of dw (O, I)."""
    (rows, outputs), inputs, width = g.shape, max(x.shape[1], weight.shape[1]), ROW_BYTES // g.itemsize
    grads = _in_fours(g)
    for part in range(start, stop):
        first, last = part_of(inputs, part, parts)
        if dx.size > 0:
            sums = dx if len(grads) == len(dx) else np.empty((len(grads), inputs), dx.dtype)
            source, offsets = weight.reshape(-1), np.arange(outputs) * inputs
            for r in range(0, len(grads), ROWS):
                for at in range(first, last, width):
                    tile(source, min(at, last - width), grads, r, offsets, sums)
            if len(grads) > len(dx):
                for r in range(len(dx)):
                    copy(sums[r, first:last], dx[r, first:last])
        first, last = part_of(outputs, part, parts)
        if dw.size > 0:
            _few_outer_products(grads, _in_fours(x), dw, first, last)
        if dbs.size > 0:
            first, last = part_of(rows, part, parts)
            _column_sums(g, dbs[part], first, last)


@jit
def _few_outer_products(g, x, dw, first, last):
    """Rows first to last of dw = g^T x; rows in fours."""
    for o in range(first, last):
        row = dw[o]
        for r in range(0, len(g), 4):
            g0, g1, g2, g3 = g[r, o], g[r + 1, o], g[r + 2, o], g[r + 3, o]
            x0, x1, x2, x3 = x[r], x[r + 1], x[r + 2], x[r + 3]
            if r == 0:
                for j in range(len(row)):
                    row[j] = g0 * x0[j] + g1 * x1[j] + g2 * x2[j] + g3 * x3[j]
            else:
                for j in range(len(row)):
                    row[j] += g0 * x0[j] + g1 * x1[j] + g2 * x2[j] + g3 * x3[j]
