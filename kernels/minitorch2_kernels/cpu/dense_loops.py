"""The loops that numba compiles for compiled_dense.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for the ints of `phases`, `offsets` and `bounds`. Rows come
in fours: four outputs read the same shifted images, and their sums and weights fit the vector registers together. Of a
group with one output, as in a depthwise convolution, there is one row.

The work is in parts, start to stop of which a call does: a part of the images, of the groups, or of the outputs, with
its own row of each workspace.
"""

from __future__ import annotations

from .compiled_dense import GROUPS, IMAGES, OUTPUTS, rows_of
from .loops import clear, flattened, inner, jit, lay_out, part_of, row_of, take_back
from .share_loops import shareable
from .tile import LINE_BYTES, LINE_TAPS, ROW_BYTES, ROWS, TAPS, dots, line, line_dots, tile

_CHUNK = 1024  # numbers of a row that are summed up before the next ones, so that they stay in the first-level cache
_TILES = 4  # side by side, before the next rows: what they read stays in the first-level cache


_rows_of = inner(rows_of)


@inner
def _sum_shifted(source, weights, offsets, out, length, first, last):
    """out[r, q] = sum over t of weights[r, t] * source[offsets[t] + q] for q < length, and whatever comes out in
    the rest of the last tile; rows first to last."""
    if last - first == 1:
        for q in range(0, length, LINE_BYTES // out.itemsize):
            line(source, q, weights, first, offsets, out)
        return
    width = ROW_BYTES // out.itemsize
    for begin in range(0, length, _TILES * width):
        end = min(length, begin + _TILES * width)
        for r in range(first, last, ROWS):
            for q in range(begin, end, width):
                tile(source, q, weights, r, offsets, out)


@inner
def _add_dots(source, g, offsets, begin, count, out):
    """out[r, t] += sum over q of g[r, begin + q] * source[offsets[t] + begin + q] for q < count, and up to a whole
    vector of g, where there are zeros."""
    if len(out) == 1:
        for tap in range(0, len(offsets), LINE_TAPS):
            line_dots(source, g, 0, offsets, tap, begin, count, out)
        return
    for r in range(0, len(out), ROWS):
        for tap in range(0, len(offsets), TAPS):
            dots(source, g, r, offsets, tap, begin, count, out)


@inner
def _part_of(images, groups, rows, part, parts, by):
    """What a part has: the images, the groups and the rows, from the first to behind the last."""
    of_images = part_of(images, part, parts) if by == IMAGES else (0, images)
    of_groups = part_of(groups, part, parts) if by == GROUPS else (0, groups)
    first, last = part_of(rows // ROWS, part, parts) if by == OUTPUTS else (0, 0)
    return of_images, of_groups, (ROWS * first, ROWS * last if by == OUTPUTS else rows)


@shareable
@jit
def conv(x, w, y, work, size, parts, by, phases, place, offsets, height, width, block, start, stop):
    """x (N, C, H, W), w (G, O/G, T), y (N, O, OH, OW). A part's row of `work` has `size` numbers: C/G * phases * block
    * height * width, and zeros behind them for another tile; then (R, block * height * width up to a whole tile), R
    the rows of a group.
    """
    groups, (oh, ow) = len(w), y.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, y.shape[1] // groups, height * width
    rows, row, from_x, to_y = _rows_of(outputs), len(phases) * block * numbers, flattened(x), flattened(y)
    for part in range(start, stop):
        (begin, end), (low, high), (first, last) = _part_of(len(x), groups, rows, part, parts, by)
        mine = row_of(work, part, parts)
        padded, sums = mine[:size], mine[size:]
        totals = sums.reshape(rows, -1)
        clear(padded)
        for n in range(begin, end, block):
            images = min(block, end - n)
            length = (images - 1) * numbers + (oh - 1) * width + ow
            for group in range(low, high):
                c, o = group * channels, group * outputs + first
                lay_out(from_x, n, images, c, channels, padded, row, phases, block * numbers, height, width)
                _sum_shifted(padded, w[group], offsets, totals, length, first, last)
                computed, count = sums[first * totals.shape[1] :], min(last, outputs) - first
                take_back(computed, to_y, n, images, o, count, totals.shape[1], place, 0, height, width)


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
def input_grad(
    g, w, dx, work, size, parts, by, phases, place, offsets, bounds, lead, height, width, block, start, stop
):
    """g (N, O, OH, OW), dx (N, C, H, W) of zeros, w (G, C/G, O/G * T): the taps of phase p stand at bounds[p] * O/G to
    bounds[p + 1] * O/G and so do their offsets into the `size` numbers of a part's row of `work`, O/G * (lead + block *
    height * width) and another tile; what is behind these is as for `conv`.
    """
    groups, numbers = len(w), height * width
    channels, outputs = dx.shape[1] // groups, g.shape[1] // groups
    rows, row, from_g, to_dx = _rows_of(channels), lead + block * numbers, flattened(g), flattened(dx)
    for part in range(start, stop):
        (begin, end), (low, high), _ = _part_of(len(g), groups, rows, part, parts, by)
        mine = row_of(work, part, parts)
        spread, sums = mine[:size], mine[size:]
        totals = sums.reshape(rows, -1)
        clear(spread)
        for n in range(begin, end, block):
            images = min(block, end - n)
            for group in range(low, high):
                lay_out(from_g, n, images, group * outputs, outputs, spread[lead:], row, place, 0, height, width)
                for p in range(len(phases)):
                    first, last = bounds[p] * outputs, bounds[p + 1] * outputs
                    each, c, phase = w[group, :, first:last], group * channels, phases[p : p + 1]
                    _sum_shifted(spread, each, offsets[first:last], totals, images * numbers, 0, rows)
                    take_back(sums, to_dx, n, images, c, channels, totals.shape[1], phase, 0, height, width)


@shareable
@jit
def weight_grad(g, x, dw, work, size, parts, by, phases, place, offsets, height, width, block, start, stop):
    """g (N, O, OH, OW), x (N, C, H, W), dw (parts, G, R, T): each part's own sums, or by GROUPS (1, G, R, T): its own
    groups; `work` as for `conv`."""
    (kept, groups, rows, _), (oh, ow) = dw.shape, g.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, g.shape[1] // groups, height * width
    row, from_g, from_x = len(phases) * block * numbers, flattened(g), flattened(x)
    for part in range(start, stop):
        (begin, end), (low, high), _ = _part_of(len(g), groups, rows, part, parts, by)
        mine = row_of(work, part, parts)
        padded, grads = mine[:size], mine[size:]
        spread, own = grads.reshape(rows, -1), dw[part % kept]
        clear(padded)
        clear(grads)
        clear(own[low:high].reshape(-1))
        for n in range(begin, end, block):
            images = min(block, end - n)
            length = (images - 1) * numbers + (oh - 1) * width + ow
            if images < block:
                clear(grads)  # of the images before, behind the last one
            for group in range(low, high):
                c, o = group * channels, group * outputs
                lay_out(from_x, n, images, c, channels, padded, row, phases, block * numbers, height, width)
                lay_out(from_g, n, images, o, outputs, grads, spread.shape[1], place, 0, height, width)
                for q in range(0, length, _CHUNK):
                    _add_dots(padded, spread, offsets, q, min(_CHUNK, length - q), own[group])


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
