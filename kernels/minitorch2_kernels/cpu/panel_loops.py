"""A matrix product of our own, with the interface of BLAS. Importing this module imports numba.

    c[r, q] += sum over t of a[r, t] * b[t, q]

DEPTH rows of WIDTH columns of b are laid out anew, row after row: a panel, which stays in the first-level cache while
all rows of `a` pass. These are read where they lie. For 512 rows of 128 numbers one core makes 155 to 162 GFLOP/s so,
and 120 to 135 with OpenBLAS, which lays out both. gemm.py says when OpenBLAS is the faster.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types

from .gemm import TRANSPOSED
from .loops import inner
from .tile import ROWS, SQUARE, half_panel_tile, panel_tile, quarter_panel_tile, turn_square

WIDTH = 4 * SQUARE
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
def _turn(source, at, apart, rows, columns, out, length):
    """out[q * length + r] = source[at + r * apart + q] for r < rows, q < columns."""
    down, across = rows // SQUARE * SQUARE, columns // SQUARE * SQUARE
    for r in range(0, down, SQUARE):
        for q in range(0, across, SQUARE):
            turn_square(source, at + r * apart + q, apart, out, q * length + r, length)
    for r in range(rows):
        for q in range(across if r < down else 0, columns):
            out[q * length + r] = source[at + r * apart + q]


@inner
def _lay_out(source, at, apart, rows, columns, panel, width):
    """panel[r * width + q] = source[at + r * apart + q] for r < rows, q < columns."""
    for r in range(rows):
        row, place = source[at + r * apart :], panel[r * width :]
        for q in range(columns):
            place[q] = row[q]


_matrix = types.CPointer(types.float32), types.int64
_real = types.float32
_SIGNATURE = types.void(*[types.int32] * 3, *[types.int64] * 3, _real, *_matrix, *_matrix, _real, *_matrix)


def _sgemm(order, a_form, b_form, m, n, k, alpha, a_pointer, a_apart, b_pointer, b_apart, beta, c_pointer, c_apart):
    """As cblas_sgemm, for order ROW_MAJOR, alpha = 1 and beta = 0 or 1; m, n, k > 0."""
    a, b, c = carray(a_pointer, _ALL), carray(b_pointer, _ALL), carray(c_pointer, _ALL)
    panel, edge, rows_of_a, apart = _in_lines(DEPTH * WIDTH), np.zeros(ROWS * WIDTH, np.float32), a, a_apart
    if a_form == TRANSPOSED:
        rows_of_a, apart = _in_lines(m * _APART), _APART
    for begin in range(0, k, DEPTH):
        depth, at = min(DEPTH, k - begin), begin
        if a_form == TRANSPOSED:
            _turn(a, begin * a_apart, a_apart, depth, m, rows_of_a, apart)
            at = 0
        for column in range(0, n, WIDTH):
            across, onto = min(WIDTH, n - column), begin > 0 or beta != 0
            width = WIDTH if across > WIDTH // 2 else WIDTH // 2 if across > WIDTH // 4 else WIDTH // 4
            if across < width:
                for i in range(depth * width):
                    panel[i] = 0
            if b_form == TRANSPOSED:
                _turn(b, column * b_apart + begin, b_apart, across, depth, panel, width)
            else:
                _lay_out(b, begin * b_apart + column, b_apart, depth, across, panel, width)
            for r in range(0, m, ROWS):
                row, place, rows = at + r * apart, r * c_apart + column, m - r
                whole = rows >= ROWS and across == width
                out, to, length = (c, place, c_apart) if whole else (edge, 0, WIDTH)
                if not whole:
                    for i in range(min(rows, ROWS)):
                        for q in range(across):
                            edge[i * WIDTH + q] = c[place + i * c_apart + q]
                if width == WIDTH:
                    panel_tile(rows_of_a, row, apart, rows, panel, depth, onto, out, to, length)
                elif width == WIDTH // 2:
                    half_panel_tile(rows_of_a, row, apart, rows, panel, depth, onto, out, to, length)
                else:
                    quarter_panel_tile(rows_of_a, row, apart, rows, panel, depth, onto, out, to, length)
                if not whole:
                    for i in range(min(rows, ROWS)):
                        for q in range(across):
                            c[place + i * c_apart + q] = edge[i * WIDTH + q]


sgemm: Any = numba.cfunc(_SIGNATURE, cache=True)(_sgemm)
