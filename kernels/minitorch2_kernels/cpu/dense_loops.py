"""The loops that numba compiles for compiled_dense.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for the ints of `phases`, `offsets` and `bounds`. Rows come
in fours: four outputs read the same shifted images, and their sums and weights fit the vector registers together.

The work is in parts, start to stop of which a call does: a part of the images, with its own row of each workspace.
"""

from __future__ import annotations

from .loops import clear, inner, jit, lay_out, part_of, row_of, take_back
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, TAPS, dots, tile

_CHUNK = 1024  # numbers of a row that are summed up before the next ones, so that they stay in the first-level cache
_TILES = 4  # side by side, before the next rows: what they read stays in the first-level cache


@inner
def _sum_shifted(source, weights, offsets, out, length, first, last):
    """out[r, q] = sum over t of weights[r, t] * source[offsets[t] + q] for q < length, and whatever comes out in
    the rest of the last tile; rows first to last, in fours."""
    width = ROW_BYTES // out.itemsize
    for begin in range(0, length, _TILES * width):
        end = min(length, begin + _TILES * width)
        for r in range(first, last, ROWS):
            for q in range(begin, end, width):
                tile(source, q, weights, r, offsets, out)


@shareable
@jit
def conv(x, w, y, work, size, parts, by_rows, phases, place, offsets, height, width, block, start, stop):
    """x (N, C, H, W), w (G, O/G, T), y (N, O, OH, OW). A part's row of `work` has `size` numbers: C/G * phases * block
    * height * width, and zeros behind them for another tile; then (R, block * height * width up to a whole tile), R
    the outputs of a group up to a multiple of four. by_rows: a part is some of these, in fours, for all images.
    """
    groups, (oh, ow) = len(w), y.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, y.shape[1] // groups, height * width
    fours, row = -(-outputs // ROWS), len(phases) * block * numbers
    for part in range(start, stop):
        begin, end = part_of(fours if by_rows else len(x), part, parts)
        if by_rows:
            begin, end, first, last = 0, len(x), ROWS * begin, ROWS * end
        else:
            first, last = 0, ROWS * fours
        mine = row_of(work, part, parts)
        padded, sums = mine[:size], mine[size:]
        totals = sums.reshape(ROWS * fours, -1)
        clear(padded)
        for n in range(begin, end, block):
            images = min(block, end - n)
            length = (images - 1) * numbers + (oh - 1) * width + ow
            for group in range(groups):
                c, o = group * channels, group * outputs + first
                lay_out(x, n, images, c, channels, padded, row, phases, block * numbers, height, width)
                _sum_shifted(padded, w[group], offsets, totals, length, first, last)
                computed, count = sums[first * totals.shape[1] :], min(last, outputs) - first
                take_back(computed, y, n, images, o, count, totals.shape[1], place, 0, height, width)


@jit
def turn(w, order, bounds, turned):
    """w (G, O/G, C/G, T) to turned (G, C/G, O/G * T), the taps of each phase, order[bounds[p]:bounds[p + 1]], after
    another. Whether all are finite: any number that is not is a NaN when it is multiplied by 0."""
    groups, outputs, channels, _ = w.shape
    total, zero = w.dtype.type(0), w.dtype.type(0)
    for g in range(groups):
        for c in range(channels):
            at = 0
            for p in range(len(bounds) - 1):
                for o in range(outputs):
                    taps = w[g, o, c]
                    for t in range(bounds[p], bounds[p + 1]):
                        number = taps[order[t]]
                        turned[g, c, at] = number
                        total += number * zero
                        at += 1
    return total == 0


@shareable
@jit
def input_grad(g, w, dx, work, size, parts, phases, place, offsets, bounds, lead, height, width, block, start, stop):
    """g (N, O, OH, OW), dx (N, C, H, W) of zeros, w (G, C/G, O/G * T): the taps of phase p stand at bounds[p] * O/G to
    bounds[p + 1] * O/G and so do their offsets into the `size` numbers of a part's row of `work`, O/G * (lead + block *
    height * width) and another tile; what is behind these is as for `conv`.
    """
    groups, numbers = len(w), height * width
    channels, outputs = dx.shape[1] // groups, g.shape[1] // groups
    rows, row = ROWS * (-(-channels // ROWS)), lead + block * numbers
    for part in range(start, stop):
        begin, end = part_of(len(g), part, parts)
        mine = row_of(work, part, parts)
        spread, sums = mine[:size], mine[size:]
        totals = sums.reshape(rows, -1)
        clear(spread)
        for n in range(begin, end, block):
            images = min(block, end - n)
            for group in range(groups):
                lay_out(g, n, images, group * outputs, outputs, spread[lead:], row, place, 0, height, width)
                for p in range(len(phases)):
                    first, last = bounds[p] * outputs, bounds[p + 1] * outputs
                    each, c, phase = w[group, :, first:last], group * channels, phases[p : p + 1]
                    _sum_shifted(spread, each, offsets[first:last], totals, images * numbers, 0, rows)
                    take_back(sums, dx, n, images, c, channels, totals.shape[1], phase, 0, height, width)


@shareable
@jit
def weight_grad(g, x, dw, work, size, phases, place, offsets, height, width, block, start, stop):
    """g (N, O, OH, OW), x (N, C, H, W), dw (parts, G, R, T): each part's own sums; `work` as for `conv`."""
    (parts, groups, rows, _), (oh, ow) = dw.shape, g.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, g.shape[1] // groups, height * width
    row = len(phases) * block * numbers
    for part in range(start, stop):
        first, last = part_of(len(g), part, parts)
        mine = row_of(work, part, parts)
        padded, grads = mine[:size], mine[size:]
        spread = grads.reshape(rows, -1)
        clear(padded)
        clear(grads)
        clear(dw[part].reshape(-1))
        for n in range(first, last, block):
            images = min(block, last - n)
            length = (images - 1) * numbers + (oh - 1) * width + ow
            if images < block:
                clear(grads)  # of the images before, behind the last one
            for group in range(groups):
                c, o = group * channels, group * outputs
                lay_out(x, n, images, c, channels, padded, row, phases, block * numbers, height, width)
                lay_out(g, n, images, o, outputs, grads, spread.shape[1], place, 0, height, width)
                for begin in range(0, length, _CHUNK):
                    count = min(_CHUNK, length - begin)
                    for r in range(0, rows, ROWS):
                        for tap in range(0, len(offsets), TAPS):
                            dots(padded, spread, r, offsets, tap, begin, count, dw[part, group])


@jit
def add_parts(parts, total):
    """total (G, O/G, T), the sum of parts (P, G, R, T) in their order; whether all of it is finite."""
    check, zero = total.dtype.type(0), total.dtype.type(0)
    for g in range(total.shape[0]):
        for o in range(total.shape[1]):
            row = total[g, o]
            for p in range(len(parts)):
                more = parts[p, g, o]
                for t in range(len(row)):
                    row[t] = more[t] if p == 0 else row[t] + more[t]
            for t in range(len(row)):
                check += row[t] * zero
    return check == 0
