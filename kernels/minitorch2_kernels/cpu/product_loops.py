"""Products of matrices that threads share without the interpreter's lock. Importing this module imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .gemm import PLAIN, ROW_MAJOR, TRANSPOSED
from .loops import add_dots_of_four, copy, jit, part_of
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, tile

_FORM, _SIZE, _REAL = ir.IntType(32), ir.IntType(64), ir.FloatType()
_SGEMM = ir.FunctionType(
    ir.VoidType(), [*[_FORM] * 3, *[_SIZE] * 3, _REAL, _SIZE, _SIZE, _SIZE, _SIZE, _REAL, _SIZE, _SIZE]
)


def _as_sgemm(typing_context, address, a_form, b_form, m, n, k, a, a_row, b, b_row, c, c_row):
    """C = A B by the cblas_sgemm at this address. (Numba keeps no code on disk that refers to a ctypes function.)"""

    def generate(context, builder, signature, values):
        function, (a_form, b_form, *rest) = builder.inttoptr(values[0], _SGEMM.as_pointer()), values[1:]
        forms = _FORM(ROW_MAJOR), builder.trunc(a_form, _FORM), builder.trunc(b_form, _FORM)
        builder.call(function, (*forms, *rest[:3], _REAL(1), *rest[3:7], _REAL(0), *rest[7:]))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 12), generate


_sgemm: Any = intrinsic(_as_sgemm)


@shareable
@jit
def product(sgemm, a, a_turned, b, b_turned, bias, out, by_rows, start, stop):
    """Rows or columns start to stop of out = a b + bias, for C-contiguous matrices; a_turned: a is there as a^T. No
    bias: an empty one. sgemm: its address."""
    m, n = out.shape
    k = a.shape[0] if a_turned else a.shape[1]
    top, bottom, left, right = (start, stop, 0, n) if by_rows else (0, m, start, stop)
    from_a, from_b, to = a.ctypes.data, b.ctypes.data, out.ctypes.data + (top * n + left) * out.itemsize
    from_a += (top if a_turned else top * a.shape[1]) * a.itemsize
    from_b += (left * b.shape[1] if b_turned else left) * b.itemsize
    a_form, b_form = TRANSPOSED if a_turned else PLAIN, TRANSPOSED if b_turned else PLAIN
    _sgemm(sgemm, a_form, b_form, bottom - top, right - left, k, from_a, a.shape[1], from_b, b.shape[1], to, n)
    if len(bias) > 0:
        more = bias[left:right]
        for r in range(top, bottom):
            row = out[r, left:right]
            for j in range(len(row)):
                row[j] += more[j]


@shareable
@jit
def linear_grad(sgemm, parts, g, x, weight, dx, dw, db, start, stop):
    """Parts start to stop of dx = g weight, dw = g^T x and db, the sums of g's columns, float64's before they are
    rounded: for each part some rows of dx, some of dw and their numbers of db. What is empty is not wanted."""
    (rows, outputs), inputs = g.shape, max(x.shape[1], weight.shape[1])
    for part in range(start, stop):
        first, last = part_of(rows, part, parts)
        if dx.size > 0 and last > first:
            from_g, to = g.ctypes.data + first * outputs * g.itemsize, dx.ctypes.data + first * inputs * g.itemsize
            from_w = weight.ctypes.data
            _sgemm(sgemm, PLAIN, PLAIN, last - first, inputs, outputs, from_g, outputs, from_w, inputs, to, inputs)
        first, last = part_of(outputs, part, parts)
        if dw.size > 0 and last > first:
            from_g, to = g.ctypes.data + first * g.itemsize, dw.ctypes.data + first * inputs * g.itemsize
            from_x = x.ctypes.data
            _sgemm(sgemm, TRANSPOSED, PLAIN, last - first, inputs, rows, from_g, outputs, from_x, inputs, to, inputs)
        if db.size > 0:
            _column_sums(g, db, first, last)


@jit
def _column_sums(g, sums, first, last):
    """sums[first:last] of g's columns, float64's before they are rounded."""
    total = np.zeros(last - first)
    for r in range(len(g)):
        row = g[r, first:last]
        for j in range(len(row)):
            total[j] += row[j]
    copy(total, sums[first:last])


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
def linear_grad_of_few(parts, g, x, weight, dx, dw, db, start, stop):
    """As linear_grad, four rows at a time; a part takes some columns of dx, no fewer than a tile is wide."""
    outputs, inputs, width = g.shape[1], max(x.shape[1], weight.shape[1]), ROW_BYTES // g.itemsize
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
        if db.size > 0:
            _column_sums(g, db, first, last)


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
