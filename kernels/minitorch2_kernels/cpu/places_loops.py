"""The loops that numba compiles for compiled_places.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for those of ints. The work is in parts, start to stop of
which a call does: a part of the images, of the outputs or of the lines, with its own row of the workspace.

The places of a block of images stand in the order (row of the image, image, column): so a panel of them has few rows of
the images, and the taps that see nothing but padding from there are left out.
"""

from __future__ import annotations

import numpy as np

from .compiled_places import IMAGES, LINES, OUTPUTS
from .loops import clear, copy_apart, flattened, inner, jit, lay_out, part_of, row_of
from .panel_loops import DEPTH, multiply_panel, panel_width
from .share_loops import shareable
from .tile import (
    ROWS,
    SQUARE,
    VECTOR_BYTES,
    VECTORS,
    move_vector,
    turn_square,
)

PANEL = VECTORS * SQUARE  # numbers of float32
_FAR = 1 << 60  # rows
_APART = DEPTH + SQUARE  # rows of a power of two would all fall into the same few lines of the cache


@inner
def _find_places(begin, count, block, runs):
    """Where in a block of images places begin to begin + count lie: from runs[0, n] to runs[0, n + 1] at runs[1, n] +
    the place - begin. How many such runs there are.

    block: where its first place lies, images, columns, and how far apart rows and images are."""
    origin, images, columns, width, numbers = block
    q, n = 0, 0
    while q < count:
        row, rest = (begin + q) // (images * columns), (begin + q) % (images * columns)
        image, column = rest // columns, rest % columns
        runs[0, n], runs[1, n] = q, origin + row * width + image * numbers + column - q
        q, n = q + columns - column, n + 1
    runs[0, n] = count
    return n


@inner
def _lay_out_places(source, offsets, taps, runs, count, out, apart):
    """out[t * apart + q] = source[offsets[t] + where place q lies] for t < taps. What is moved beyond a run, the next
    one overwrites."""
    vector = VECTOR_BYTES // out.itemsize
    for t in range(taps):
        to, of_tap = t * apart, offsets[t]
        for n in range(count):
            shift = of_tap + runs[1, n]
            for q in range(runs[0, n], runs[0, n + 1], vector):
                move_vector(source, shift + q, out, to + q)


@inner
def _tools(x):
    """What a part works with: where it lays out a panel, the taps that see this, and the places' runs."""
    wide = VECTORS * (VECTOR_BYTES // x.itemsize)
    return np.zeros((DEPTH + 1) * wide, x.dtype), np.empty((2, DEPTH), np.int64), np.empty((2, DEPTH + 1), np.int64)


@inner
def _find_taps(taps, window, apart, first, count, top, bottom, seen):
    """Of `count` taps from number `first` on, in the order (channel, tap of the window), those that see the image from
    a row from top to bottom: what they are moved by, seen[0, n], and where their weights stand, seen[1, n]. How many
    these are.

    taps, int64 (4, T), those of the window from column window[0] to window[1]: what they are moved by; where their
    weights stand; from which row on they see the image, and from which on no more. apart: how far channels are."""
    begin, end = window
    n, channel, t = 0, first // (end - begin), begin + first % (end - begin)
    for _ in range(count):
        if taps[2, t] <= bottom and taps[3, t] > top:
            seen[0, n], seen[1, n] = taps[0, t] + channel * apart[0], taps[1, t] + channel * apart[1]
            n += 1
        t += 1
        if t == end:
            t, channel = begin, channel + 1
    return n


@jit
def _multiply_places(source, block, rows, weights, taps, window, apart, channels, out, length, tools):
    """out[r * length + q] = the sum over all taps of w[at + r * step + the tap's] * source[the tap's + where place q
    lies], flat arrays, for places from rows[0] to rows[1] of the images and r < outputs, up to a multiple of ROWS."""
    (w, at, step, outputs), (panel, seen, runs) = weights, tools
    vector, of_row, count = VECTOR_BYTES // out.itemsize, block[1] * block[2], channels * (window[1] - window[0])
    places = (rows[1] - rows[0]) * of_row
    for first in range(0, count, DEPTH):
        for q in range(0, places, VECTORS * vector):
            across = min(VECTORS * vector, places - q)
            width, top, bottom = panel_width(across, vector), q // of_row, (q + across - 1) // of_row
            depth = _find_taps(
                taps, window, apart, first, min(DEPTH, count - first), rows[0] + top, rows[0] + bottom, seen
            )
            if depth > 0:
                found = _find_places(q, across, block, runs)
                _lay_out_places(source, seen[0], depth, runs, found, panel, width)
                multiply_panel(w, at, step, outputs, seen[1], panel, depth, width, first > 0, out, q, length)
            elif first == 0:
                for r in range(outputs):
                    clear(out[r * length + q : r * length + q + width])


@inner
def _take_places(sums, length, x, n, images, channel, channels, phase, begin, end):
    """sums (R, length), flat, the places of rows begin to end in their order, to where those of a phase stand in x, as
    `flattened`."""
    i0, _, first_row, row_step, j0, j1, first_column, step = phase
    flat, of_image, of_channel, of_row = x
    for c in range(channels):
        at = c * length
        for i in range(begin, end):
            to = n * of_image + (channel + c) * of_channel + (first_row + (i - i0) * row_step) * of_row + first_column
            for _ in range(images):
                copy_apart(sums, at, 1, flat, to, step, j1 - j0)
                at, to = at + j1 - j0, to + of_image


@inner
def _part_of(n, outputs, part, parts, by):
    """What a part has: the images begin to end, the outputs first to last."""
    if by == OUTPUTS:
        first, last = part_of(-(-outputs // ROWS), part, parts)
        return 0, n, ROWS * first, min(outputs, ROWS * last)
    begin, end = part_of(n, part, parts) if by == IMAGES else (0, n)
    return begin, end, 0, outputs


@inner
def _lines_of(begin, end, part, parts, by):
    """Which of an image's lines a part has."""
    first, last = part_of(end - begin, part, parts) if by == LINES else (0, end - begin)
    return begin + first, begin + last


@shareable
@jit
def conv(x, w, y, work, size, parts, by, at_once, length, phases, place, taps, height, width, block, start, stop):
    """x (N, C, H, W), w (G, O/G, T), y (N, O, OH, OW). A part's row of `work` has `size` numbers: C/G * phases * block
    * height * width, and zeros behind them for another vector; then its sums, (R, length): the places of `at_once` rows
    of a block, up to whole panels, and R the outputs of a group, or its own, up to a multiple of ROWS."""
    groups, outputs, numbers = w.shape
    channels, (rows, columns), flat = x.shape[1] // groups, y.shape[2:], w.reshape(-1)
    row, area, tools = len(phases) * block * height * width, taps.shape[1], _tools(x)
    from_x, to_y = flattened(x), flattened(y)
    for part in range(start, stop):
        begin, end, first, last = _part_of(len(x), outputs, part, parts, by)
        mine = row_of(work, part, parts)
        padded, sums = mine[:size], mine[size:]
        clear(padded)
        for n in range(begin, end, block):
            images = min(block, end - n)
            for group in range(groups):
                c, o = group * channels, group * outputs + first
                lay_out(from_x, n, images, c, channels, padded, row, phases, block * height * width, height, width)
                weights, window, apart = (flat, o * numbers, numbers, last - first), (0, area), (row, area)
                top, bottom = _lines_of(0, rows, part, parts, by)
                for i in range(top, bottom, at_once):
                    j, places = min(bottom, i + at_once), (i * width, images, columns, width, height * width)
                    _multiply_places(
                        padded, places, (i, j), weights, taps, window, apart, channels, sums, length, tools
                    )
                    _take_places(sums, length, to_y, n, images, o, last - first, place[0], i, j)


@shareable
@jit
def input_grad(
    g,
    w,
    dx,
    work,
    size,
    parts,
    by,
    at_once,
    length,
    phases,
    place,
    taps,
    bounds,
    lead,
    height,
    width,
    block,
    start,
    stop,
):
    """g (N, O, OH, OW), w (G, O/G, C/G, T), dx (N, C, H, W) of zeros. The window of phase p are the taps from
    bounds[p] to bounds[p + 1]; they look into the `size` numbers of a part's row of `work`, O/G * (lead + block *
    height * width) and zeros for another vector. What is behind these is as for `conv`."""
    groups, outputs, channels, area = w.shape
    row, flat, tools = lead + block * height * width, w.reshape(-1), _tools(g)
    from_g, to_dx = flattened(g), flattened(dx)
    apart = row, channels * area
    for part in range(start, stop):
        begin, end, first, last = _part_of(len(g), channels, part, parts, by)
        mine = row_of(work, part, parts)
        spread, sums = mine[:size], mine[size:]
        clear(spread)
        for n in range(begin, end, block):
            images = min(block, end - n)
            for group in range(groups):
                lay_out(from_g, n, images, group * outputs, outputs, spread[lead:], row, place, 0, height, width)
                weights = flat, (group * outputs * channels + first) * area, area, last - first
                for p in range(len(phases)):
                    i0, i1, _, _, j0, j1, _, _ = phases[p]
                    window = bounds[p], bounds[p + 1]
                    top, bottom = _lines_of(i0, i1 if j1 > j0 else i0, part, parts, by)
                    for i in range(top, bottom, at_once):
                        j, places = min(bottom, i + at_once), (i * width + j0, images, j1 - j0, width, height * width)
                        _multiply_places(
                            spread, places, (i, j), weights, taps, window, apart, outputs, sums, length, tools
                        )
                        _take_places(
                            sums, length, to_dx, n, images, group * channels + first, last - first, phases[p], i, j
                        )


@inner
def _turn(source, offsets, rows, columns, out, length):
    """out[q * length + r] = source[offsets[r] + q] for r < rows, q < columns, in whole squares. What a square moves
    beyond a row, the first square of the next one overwrites."""
    for q in range(0, columns, SQUARE):
        for r in range((rows - 1) // SQUARE * SQUARE, -1, -SQUARE):
            turn_square(source, q, offsets, r, out, q * length + r, length)


@shareable
@jit
def weight_grad(g, x, dw, work, size, parts, by, phases, place, taps, height, width, block, start, stop):
    """g (N, O, OH, OW), x (N, C, H, W), dw (P, G, R, T'): each part's own sums, or by OUTPUTS, P = 1, its own rows; T'
    goes up to whole panels, R to a multiple of ROWS. `work` as for `conv`, without sums."""
    (kept, groups, rows, length), (outputs, oh, ow) = dw.shape, g.shape[1:]
    channels, outputs, area = x.shape[1] // groups, outputs // groups, taps.shape[1]
    row, vector, (panel, seen, runs) = len(phases) * block * height * width, VECTOR_BYTES // x.itemsize, _tools(x)
    from_x, apart = flattened(x), block * height * width
    steps, offsets = np.empty(DEPTH, np.int64), np.arange(VECTORS * vector + SQUARE) * _APART
    lines, flat, out = np.zeros(len(offsets) * _APART, x.dtype), g.reshape(-1), dw.reshape(-1)
    for part in range(start, stop):
        begin, end, first, last = _part_of(len(g), outputs, part, parts, by)
        padded = row_of(work, part, parts)
        clear(padded)
        for n in range(begin, end, block):
            images = min(block, end - n)
            places = 0, images, ow, width, height * width
            for group in range(groups):
                lay_out(from_x, n, images, group * channels, channels, padded, row, phases, apart, height, width)
                of_g = (n * g.shape[1] + group * outputs + first) * oh * ow
                to = (part % kept * groups + group) * rows + first
                for t in range(0, channels * area, VECTORS * vector):
                    across = min(VECTORS * vector, channels * area - t)
                    wide = panel_width(across, vector)
                    _find_taps(taps, (0, area), (row, area), t, across, -_FAR, _FAR, seen)
                    for q in range(0, oh * images * ow, DEPTH):
                        depth = min(DEPTH, oh * images * ow - q)
                        for d in range(depth):
                            i, rest = (q + d) // (images * ow), (q + d) % (images * ow)
                            steps[d] = rest // ow * g[0].size + i * ow + rest % ow
                        found = _find_places(q, depth, places, runs)
                        _lay_out_places(padded, seen[0], across, runs, found, lines, _APART)
                        _turn(lines, offsets, across, depth, panel, wide)
                        at, down, onto = to * length + t, last - first, n > begin or q > 0
                        multiply_panel(flat, of_g, oh * ow, down, steps, panel, depth, wide, onto, out, at, length)
