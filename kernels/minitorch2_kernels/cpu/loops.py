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


@jit
def add_dots_of_four(source, g, offsets, out, begin, count):
    """out[r, t] += sum over q of g[r, q] * source[offsets[t] + q], for four rows and q from begin on."""
    end = begin + count
    g0, g1, g2, g3 = g[0, begin:end], g[1, begin:end], g[2, begin:end], g[3, begin:end]
    zero, last = out.dtype.type(0), len(offsets) - 1
    for t in range(0, len(offsets), 3):  # three at a time: twelve sums in registers
        u, v = min(t + 1, last), min(t + 2, last)
        a, b, c = offsets[t] + begin, offsets[u] + begin, offsets[v] + begin
        sa, sb, sc = source[a : a + count], source[b : b + count], source[c : c + count]
        s0a = s1a = s2a = s3a = s0b = s1b = s2b = s3b = s0c = s1c = s2c = s3c = zero
        for q in range(count):
            xa, xb, xc, y0, y1, y2, y3 = sa[q], sb[q], sc[q], g0[q], g1[q], g2[q], g3[q]
            s0a += y0 * xa
            s0b += y0 * xb
            s0c += y0 * xc
            s1a += y1 * xa
            s1b += y1 * xb
            s1c += y1 * xc
            s2a += y2 * xa
            s2b += y2 * xb
            s2c += y2 * xc
            s3a += y3 * xa
            s3b += y3 * xb
            s3c += y3 * xc
        out[0, t] += s0a
        out[1, t] += s1a
        out[2, t] += s2a
        out[3, t] += s3a
        if u > t:
            out[0, u] += s0b
            out[1, u] += s1b
            out[2, u] += s2b
            out[3, u] += s3b
        if v > u:
            out[0, v] += s0c
            out[1, v] += s1c
            out[2, v] += s2c
            out[3, v] += s3c
