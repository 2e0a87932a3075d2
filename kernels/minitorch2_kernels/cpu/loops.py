"""What the modules of compiled loops (`*_loops.py`) share: how they are compiled, and how images are laid out.

Importing this imports numba: do so inside a function.
"""

from __future__ import annotations

from . import jit as compiler

# A product may be rounded once with the sum it goes into, and sums be taken in any order: what lets a loop use the
# vector units. Nothing is assumed about infinities and NaN. A sum must begin with a constant zero (x.dtype.type(0)),
# or it is not vectorised.
_FAST = {"contract", "reassoc"}


def jit(function):
    return compiler.jit(function, _FAST)


@jit
def lay_out(image, padded, phases, height, width):
    """image (H, W) to its places in padded (phases * height * width), as planes.py says."""
    for number in range(len(phases)):
        i0, i1, row, row_step, j0, j1, column, column_step = phases[number]
        for i in range(i1 - i0):
            source = image[row + i * row_step]
            begin = (number * height + i0 + i) * width
            target = padded[begin + j0 : begin + j1]
            if column_step == 1:
                source = source[column : column + j1 - j0]
                for j in range(j1 - j0):
                    target[j] = source[j]
            else:
                for j in range(j1 - j0):
                    target[j] = source[column + j * column_step]


@jit
def take_back(padded, image, phases, height, width):
    """The reverse of lay_out."""
    for number in range(len(phases)):
        i0, i1, row, row_step, j0, j1, column, column_step = phases[number]
        for i in range(i1 - i0):
            target = image[row + i * row_step]
            begin = (number * height + i0 + i) * width
            source = padded[begin + j0 : begin + j1]
            if column_step == 1:
                target = target[column : column + j1 - j0]
                for j in range(j1 - j0):
                    target[j] = source[j]
            else:
                for j in range(j1 - j0):
                    target[column + j * column_step] = source[j]


@jit
def part_of(n, part, parts):
    """(start, stop) of this part of range(n)."""
    return n * part // parts, n * (part + 1) // parts


@jit
def row_of(workspace, part, parts):
    """What of a flat workspace belongs to this part."""
    size = len(workspace) // parts
    return workspace[part * size : (part + 1) * size]
