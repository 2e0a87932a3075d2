"""What the modules of compiled loops (`*_loops.py`) share: how they are compiled, and how images are laid out.

Importing this imports numba: do so inside a function.
"""

from __future__ import annotations

from . import jit as compiler
from .tile import copy_every_second, copy_row, copy_to_every_second

# A product may be rounded once with the sum it goes into, and sums be taken in any order: what lets a loop use the
# vector units. Nothing is assumed about infinities and NaN. A sum must begin with a constant zero (x.dtype.type(0)),
# or it is not vectorised.
_FAST = {"contract", "reassoc"}


def jit(function):
    return compiler.jit(function, _FAST)


def inner(function):
    """As jit, for what compiled loops call in one place or two: it is compiled as a part of them, and by their rules.

    A function of its own would be compiled by itself and again in whatever calls it, and in what calls that: a
    convolution took twice as long until it ran."""
    return compiler.jit(function, _FAST, inline="always")


@inner
def clear(x):
    """x[:] = 0, for a flat array. That statement takes the compiler a fifth of a second, and one between arrays, with
    its error messages, two or three: so the loops are written out here."""
    for i in range(len(x)):
        x[i] = 0


@inner
def copy(source, to):
    """to[:] = source, for flat arrays of one length."""
    for i in range(len(to)):
        to[i] = source[i]


@inner
def copy_apart(source, at, reading, out, to, writing, count):
    """out[to + writing * j] = source[at + reading * j] for j < count, count > 0, flat arrays; one of the two is 1."""
    if reading == 1 and writing == 1:
        copy_row(source, at, out, to, count)
    elif reading == 2:
        copy_every_second(source, at, out, to, count)
    elif writing == 2:
        copy_to_every_second(source, at, out, to, count)
    else:
        for j in range(count):
            out[to + writing * j] = source[at + reading * j]


@inner
def flattened(x):
    """x (N, C, H, W) for lay_out and take_back: flat, how far apart images, channels and rows are. To ask numba for it
    takes as long as to lay out a small image."""
    return x.reshape(-1), x[0].size, x[0, 0].size, x.shape[3]


@inner
def lay_out(x, n, images, channel, channels, rows, apart, phases, phases_apart, height, width):
    """`images` images from x[n] on and `channels` channels from `channel` on, x as `flattened`, to their places in
    rows, as planes.py says: phase p of image b and channel c begins at rows[c * apart + p * phases_apart + b * height *
    width]. The rows (int64 (P, 8)) are those of planes.phases.
    """
    flat, of_image, of_channel, of_row = x
    for p in range(len(phases)):
        i0, i1, first_row, row_step, j0, j1, first_column, step = phases[p]
        if j1 == j0:
            continue
        for c in range(channels):
            for b in range(images):
                to = c * apart + p * phases_apart + (b * height + i0) * width + j0
                at = (n + b) * of_image + (channel + c) * of_channel + first_row * of_row + first_column
                for _ in range(i0, i1):
                    copy_apart(flat, at, step, rows, to, 1, j1 - j0)
                    at, to = at + row_step * of_row, to + width


@inner
def take_back(rows, x, n, images, channel, channels, apart, phases, phases_apart, height, width):
    """The reverse of lay_out."""
    flat, of_image, of_channel, of_row = x
    for p in range(len(phases)):
        i0, i1, first_row, row_step, j0, j1, first_column, step = phases[p]
        if j1 == j0:
            continue
        for c in range(channels):
            for b in range(images):
                at = c * apart + p * phases_apart + (b * height + i0) * width + j0
                to = (n + b) * of_image + (channel + c) * of_channel + first_row * of_row + first_column
                for _ in range(i0, i1):
                    copy_apart(rows, at, 1, flat, to, step, j1 - j0)
                    at, to = at + width, to + row_step * of_row


@inner
def part_of(n, part, parts):
    """(start, stop) of this part of range(n)."""
    return n * part // parts, n * (part + 1) // parts


@inner
def row_of(workspace, part, parts):
    """What of a flat workspace belongs to this part."""
    size = len(workspace) // parts
    return workspace[part * size : (part + 1) * size]


@inner
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
