"""The loops that numba compiles for compiled_dense.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for the ints of `phases`, `offsets` and `bounds`. Rows come
in fours: four outputs read the same shifted images, and their sums and weights fit the vector registers together.

The work is in parts, start to stop of which a call does: a part of the images, with its own row of each workspace.
"""

from __future__ import annotations

from .gemm import PLAIN, TRANSPOSED
from .loops import clear, inner, jit, lay_out, part_of, row_of, take_back
from .product_loops import times
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, SQUARE, TAPS, dots, move_vector, tile

_CHUNK = 1024  # numbers of a row that are summed up before the next ones, so that they stay in the first-level cache
TAPS_AT_ONCE, PLACES_AT_ONCE = 512, 128  # of what is laid out for sgemm: a quarter of a megabyte
COLUMNS = TAPS_AT_ONCE * PLACES_AT_ONCE + SQUARE
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


@inner
def _lay_out_columns(source, at, offsets, taps, place, count, columns, width, out):
    """out[t * count + q] = source[at + offsets[t] + i * width + j] for all taps, and q < count: for place + q = i *
    columns + j. What is moved beyond a row of places, the next one overwrites."""
    for t in range(taps):
        of_tap, row, j, q = at + offsets[t], place // columns, place % columns, 0
        while q < count:
            run = min(columns - j, count - q)
            for v in range(0, run, SQUARE):
                move_vector(source, of_tap + row * width + j + v, out, t * count + q + v)
            row, j, q = row + 1, 0, q + run


@jit
def _multiply_places(
    sgemm, source, at, apart, images, w, begin, length, rows, offsets, y, to, gap, shape, width, columns, back
):
    """y[to + b * gap + r * P + p] = the sum over t of w[begin + r * length + t] * source[at + b * apart + offsets[t] +
    i * width + j], flat arrays, for images b, rows r and places p = i * OW + j of shape (OH, OW), P altogether. `back`:
    w[...] += the sum over b and p of y[...] * source[...], their places as above."""
    places, taps, laid_out = shape[0] * shape[1], len(offsets), columns.ctypes.data
    for t in range(0, taps, TAPS_AT_ONCE):
        depth = min(TAPS_AT_ONCE, taps - t)
        for b in range(images):
            for p in range(0, places, PLACES_AT_ONCE):
                count = min(PLACES_AT_ONCE, places - p)
                _lay_out_columns(source, at + b * apart, offsets[t:], depth, p, count, shape[1], width, columns)
                of_w, of_y = w.ctypes.data + (begin + t) * 4, y.ctypes.data + (to + b * gap + p) * 4
                if back:
                    times(sgemm, PLAIN, TRANSPOSED, rows, depth, count, of_y, places, laid_out, count, 1, of_w, length)
                else:
                    onto = 1 if t > 0 else 0
                    times(sgemm, PLAIN, PLAIN, rows, count, depth, of_w, length, laid_out, count, onto, of_y, places)


@shareable
@jit
def conv(sgemm, x, w, y, work, size, parts, by_rows, phases, place, offsets, height, width, block, start, stop):
    """x (N, C, H, W), w (G, O/G, T), y (N, O, OH, OW). A part's row of `work` has `size` numbers: C/G * phases * block
    * height * width, and zeros behind them for another tile; then (R, block * height * width up to a whole tile), R
    the outputs of a group up to a multiple of four. by_rows: a part is some of these, in fours, for all images.

    With sgemm, the address of our own, what is behind the `size` numbers is COLUMNS for what it multiplies. Else: 0.
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
                if sgemm != 0:
                    at, to, gap = (group * outputs + first) * w.shape[2], (n * y.shape[1] + o) * oh * ow, y[0].size
                    of_rows = w.reshape(-1), at, w.shape[2], min(last, outputs) - first, offsets
                    of_places = y.reshape(-1), to, gap, (oh, ow), width
                    _multiply_places(sgemm, padded, 0, numbers, images, *of_rows, *of_places, sums, False)
                    continue
                _sum_shifted(padded, w[group], offsets, totals, length, first, last)
                computed, count = sums[first * totals.shape[1] :], min(last, outputs) - first
                take_back(computed, y, n, images, o, count, totals.shape[1], place, 0, height, width)


@inner
def _put_places(places, dx, n, images, channel, channels, phase):
    """The numbers of a phase, places (images, channels, rows * columns) in a flat array, to where they belong in dx."""
    i0, i1, first_row, row_step, j0, j1, first_column, column_step = phase
    at = 0
    for b in range(images):
        for c in range(channels):
            for i in range(i1 - i0):
                row = dx[n + b, channel + c, first_row + i * row_step]
                for j in range(j1 - j0):
                    row[first_column + j * column_step] = places[at]
                    at += 1


@shareable
@jit
def input_grad(
    sgemm, g, w, dx, work, size, parts, phases, place, offsets, bounds, lead, height, width, block, start, stop
):
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
                    if sgemm != 0:
                        i, j, shape = phase[0, 0], phase[0, 4], (phase[0, 1] - phase[0, 0], phase[0, 5] - phase[0, 4])
                        at, to, area = i * width + j, 0, shape[0] * shape[1]
                        of_weights, row_of_w = c * w.shape[2] + first, w.shape[2]
                        whole = area == dx[0, 0].size
                        out, to, gap = sums[COLUMNS:], 0, channels * area
                        if whole:
                            out, to, gap = dx.reshape(-1), (n * dx.shape[1] + c) * area, dx[0].size
                        of_rows = w.reshape(-1), of_weights, row_of_w, channels, offsets[first:last]
                        _multiply_places(
                            sgemm, spread, at, numbers, images, *of_rows, out, to, gap, shape, width, sums, False
                        )
                        if not whole:
                            _put_places(out, dx, n, images, c, channels, phase[0])
                        continue
                    _sum_shifted(spread, each, offsets[first:last], totals, images * numbers, 0, rows)
                    take_back(sums, dx, n, images, c, channels, totals.shape[1], phase, 0, height, width)


@shareable
@jit
def weight_grad(sgemm, g, x, dw, work, size, phases, place, offsets, height, width, block, start, stop):
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
        if sgemm == 0:
            clear(grads)
        clear(dw[part].reshape(-1))
        for n in range(first, last, block):
            images = min(block, last - n)
            length = (images - 1) * numbers + (oh - 1) * width + ow
            if sgemm == 0 and images < block:
                clear(grads)  # of the images before, behind the last one
            for group in range(groups):
                c, o = group * channels, group * outputs
                lay_out(x, n, images, c, channels, padded, row, phases, block * numbers, height, width)
                if sgemm != 0:
                    of_dw, length = (part * groups + group) * dw[0, 0].size, len(offsets)
                    of_rows = dw.reshape(-1), of_dw, length, outputs, offsets
                    of_places = g.reshape(-1), (n * g.shape[1] + o) * oh * ow, g[0].size, (oh, ow), width
                    _multiply_places(sgemm, padded, 0, numbers, images, *of_rows, *of_places, grads, True)
                    continue
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
