"""A matrix product of our own, with the interface of BLAS. Importing this module imports numba.

    c[r, q] += sum over t of a[r, t] * b[t, q]

DEPTH rows of WIDTH columns of b are laid out anew, row after row: a panel, which stays in the first-level cache while
all rows of `a` pass. These are read where they lie. For 512 rows of 128 to 512 numbers it takes 0.8 to 0.9 of the time
of OpenBLAS, which lays out both (a Xeon with AVX-512). gemm.py says when OpenBLAS is the faster.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types

from .gemm import TRANSPOSED
from .loops import inner
from .tile import (
    ROWS,
    SQUARE,
    VECTOR_BYTES,
    VECTORS,
    double_panel_tile,
    single_panel_tile,
    turn_square,
    wide_panel_tile,
)

WIDTH = VECTORS * SQUARE
DEPTH = 128
_LINE = 16  # numbers in a line of the cache
_APART = DEPTH + _LINE  # rows of a power of two would all fall into the same few lines of the cache
_ALL = (1 << 60,)


@inner
def _in_lines(n):
    """n numbers, of which the first begins a line of the cache: a vector in two lines takes twice as long to load."""
    numbers = np.empty(n + _LINE, np.float32)
    begin = -(numbers.ctypes.data // 4) % _LINE
    return numbers[begin : begin + n]


@inner
def panel_width(columns, vector):
    """How wide a panel of so many columns, VECTORS vectors at most, is best laid out."""
    vectors = VECTORS if columns > 2 * vector else 2 if columns > vector else 1
    return vectors * vector


@inner
def _lay_out_turned(source, at, offsets, rows, columns, out, length):
    """out[q * length + r] = source[at + offsets[r] + q] for r < rows, q < columns."""
    down, across = rows // SQUARE * SQUARE, columns // SQUARE * SQUARE
    for r in range(0, down, SQUARE):
        for q in range(0, across, SQUARE):
            turn_square(source, at + q, offsets, r, out, q * length + r, length)
    for r in range(rows):
        row = source[at + offsets[r] :]
        for q in range(across if r < down else 0, columns):
            out[q * length + r] = row[q]


@inner
def _lay_out_panel(source, at, offsets, rows, columns, panel, width):
    """panel[r * width + q] = source[at + offsets[r] + q] for r < rows, q < columns."""
    for r in range(rows):
        row, place = source[at + offsets[r] :], panel[r * width :]
        for q in range(columns):
            place[q] = row[q]


@inner
def multiply_panel(a, at, apart, rows, steps, panel, depth, width, onto, out, to, length):
    """out[to + r * length + q] = sum over t < depth of a[at + r * apart + steps[t]] * panel[t * width + q] for r < rows
    and q < width, flat arrays; where `onto`, what was there and the sum. Rows are computed up to a multiple of ROWS."""
    vector = VECTOR_BYTES // out.itemsize
    for r in range(0, rows, ROWS):
        row, place, down = at + r * apart, to + r * length, rows - r
        if width > 2 * vector:
            wide_panel_tile(a, row, apart, down, steps, panel, depth, onto, out, place, length)
        elif width > vector:
            double_panel_tile(a, row, apart, down, steps, panel, depth, onto, out, place, length)
        else:
            single_panel_tile(a, row, apart, down, steps, panel, depth, onto, out, place, length)


@inner
def _add_tiles(a, at, apart, rows, steps, panel, depth, width, across, onto, c, place, length, edge):
    """As multiply_panel, for q < across, and no rows but these. edge (ROWS * WIDTH,): a workspace."""
    whole = rows // ROWS * ROWS if across == width else 0
    if whole > 0:
        multiply_panel(a, at, apart, whole, steps, panel, depth, width, onto, c, place, length)
    for r in range(whole, rows, ROWS):
        begin, down = place + r * length, min(rows - r, ROWS)
        for i in range(down):
            for q in range(across):
                edge[i * WIDTH + q] = c[begin + i * length + q]
        multiply_panel(a, at + r * apart, apart, down, steps, panel, depth, width, onto, edge, 0, WIDTH)
        for i in range(down):
            for q in range(across):
                c[begin + i * length + q] = edge[i * WIDTH + q]


_matrix = types.CPointer(types.float32), types.int64
_real = types.float32
_SIGNATURE = types.void(*[types.int32] * 3, *[types.int64] * 3, _real, *_matrix, *_matrix, _real, *_matrix)


def _sgemm(order, a_form, b_form, m, n, k, alpha, a_pointer, a_apart, b_pointer, b_apart, beta, c_pointer, c_apart):
    """As cblas_sgemm, for order ROW_MAJOR, alpha = 1 and beta = 0 or 1; m, n, k > 0."""
    a, b, c = carray(a_pointer, _ALL), carray(b_pointer, _ALL), carray(c_pointer, _ALL)
    panel, edge, rows_of_a, apart = _in_lines(DEPTH * WIDTH), np.zeros(ROWS * WIDTH, np.float32), a, a_apart
    steps = np.arange(max(DEPTH, WIDTH))
    a_offsets, b_offsets = steps * a_apart, steps * b_apart
    if a_form == TRANSPOSED:
        rows_of_a, apart = _in_lines(m * _APART), _APART
    for begin in range(0, k, DEPTH):
        depth, at = min(DEPTH, k - begin), begin
        if a_form == TRANSPOSED:
            _lay_out_turned(a, begin * a_apart, a_offsets, depth, m, rows_of_a, apart)
            at = 0
        for column in range(0, n, WIDTH):
            across = min(WIDTH, n - column)
            width = panel_width(across, SQUARE)
            if across < width:
                for i in range(depth * width):
                    panel[i] = 0
            if b_form == TRANSPOSED:
                _lay_out_turned(b, column * b_apart + begin, b_offsets, across, depth, panel, width)
            else:
                _lay_out_panel(b, begin * b_apart + column, b_offsets, depth, across, panel, width)
            onto = begin > 0 or beta != 0
            _add_tiles(rows_of_a, at, apart, m, steps, panel, depth, width, across, onto, c, column, c_apart, edge)


sgemm: Any = numba.cfunc(_SIGNATURE, cache=True)(_sgemm)
