"""The loops that numba compiles for compiled_dense.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for the ints of `phases`, `offsets` and `bounds`. Rows come
in fours: four outputs read the same shifted images, and their sums and weights fit the vector registers together.

The work is in parts, start to stop of which a call does: a part of the images, with its own row of each workspace.
"""

from __future__ import annotations

from .loops import jit, lay_out, part_of, row_of, take_back
from .share_loops import shareable
from .tile import ROW_BYTES, ROWS, tile

_CHUNK = 1024  # numbers of a row that are summed up before the next ones, so that they stay in the first-level cache
_TILES = 4  # side by side, before the next rows: what they read stays in the first-level cache


@jit
def finite(x):
    """Whether no element of x, flat, is infinite or NaN: any of those times 0 is NaN."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * x.dtype.type(0)
    return total == 0


@jit
def _sum_shifted(source, weights, offsets, out, length, first, last):
    """out[r, q] = sum over t of weights[r, t] * source[offsets[t] + q] for q < length, and whatever comes out in
    the rest of the last tile; rows first to last, in fours."""
    width = ROW_BYTES // out.itemsize
    for begin in range(0, length, _TILES * width):
        end = min(length, begin + _TILES * width)
        for r in range(first, last, ROWS):
            for q in range(begin, end, width):
                tile(source, q, weights, r, offsets, out)


@jit
def _add_dots_of_four(source, g, offsets, out, begin, count):
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


@jit
def _lay_out_rows(image, line, width):
    """image (OH, OW) to rows of `width` numbers, whatever stands between them."""
    for i in range(image.shape[0]):
        row, target = image[i], line[i * width : i * width + image.shape[1]]
        for j in range(len(row)):
            target[j] = row[j]


@jit
def _lay_out_images(x, padded, phases, height, width, block):
    """x (B, C/G, H, W) to padded (C/G, phases, block, height, width): every phase of a channel is one row of images."""
    numbers = height * width
    for c in range(x.shape[1]):
        for p in range(len(phases)):
            for b in range(x.shape[0]):
                at = ((c * len(phases) + p) * block + b) * numbers
                lay_out(x[b, c], padded[at : at + numbers], phases[p : p + 1], height, width)


@jit
def _conv(x, w, y, padded, totals, phases, offsets, height, width, block, start, stop, first, last):
    groups, (oh, ow) = len(w), y.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, y.shape[1] // groups, height * width
    padded[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = (images - 1) * numbers + (oh - 1) * width + ow
        for group in range(groups):
            of_group = x[n : n + images, group * channels : (group + 1) * channels]
            _lay_out_images(of_group, padded, phases, height, width, block)
            _sum_shifted(padded, w[group], offsets, totals, length, first, last)
            for o in range(first, min(last, outputs)):
                for b in range(images):
                    for i in range(oh):
                        at = b * numbers + i * width
                        row, line = y[n + b, group * outputs + o, i], totals[o, at : at + ow]
                        for j in range(ow):
                            row[j] = line[j]


@shareable
@jit
def conv(x, w, y, padded, totals, parts, by_rows, phases, offsets, height, width, block, start, stop):
    """x (N, C, H, W), w (G, R, T) with R rows in fours, y (N, O, OH, OW). Each part's row of padded has C/G * phases *
    block * height * width numbers, zeros behind them, and another tile; that of totals is (R, block * height * width up
    to a whole tile). by_rows: a part is one of w's rows, in fours, for all images.
    """
    rows = w.shape[1]
    count = rows // ROWS if by_rows else len(x)
    for part in range(start, stop):
        begin, end = part_of(count, part, parts)
        a, b, first, last = (0, len(x), ROWS * begin, ROWS * end) if by_rows else (begin, end, 0, rows)
        mine, sums = row_of(padded, part, parts), row_of(totals, part, parts).reshape(rows, -1)
        _conv(x, w, y, mine, sums, phases, offsets, height, width, block, a, b, first, last)


@jit
def _input_grad(g, w, dx, spread, totals, phases, offsets, bounds, lead, height, width, block, start, stop):
    groups, numbers = len(w), height * width
    channels, outputs = dx.shape[1] // groups, g.shape[1] // groups
    reach = lead + block * numbers
    spread[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = images * numbers
        for group in range(groups):
            for o in range(outputs):
                for b in range(images):
                    at = o * reach + lead + b * numbers
                    _lay_out_rows(g[n + b, group * outputs + o], spread[at : at + numbers], width)
            for p in range(len(phases)):
                first, last = bounds[p], bounds[p + 1]
                _sum_shifted(spread, w[group, :, first:last], offsets[first:last], totals, length, 0, w.shape[1])
                for c in range(channels):
                    for b in range(images):
                        line = totals[c, b * numbers : (b + 1) * numbers]
                        take_back(line, dx[n + b, group * channels + c], phases[p : p + 1], height, width)


@shareable
@jit
def input_grad(g, w, dx, spread, totals, parts, phases, offsets, bounds, lead, height, width, block, start, stop):
    """g (N, O, OH, OW), dx (N, C, H, W) of zeros, w (G, R, O/G * KH*KW): the taps of phase p stand at bounds[p] to
    bounds[p + 1] and so do their offsets into a part's row of spread, of O/G * (lead + block * height * width) numbers
    and another tile. totals as for `conv`.
    """
    n = len(g)
    for part in range(start, stop):
        a, b = part_of(n, part, parts)
        mine, sums = row_of(spread, part, parts), row_of(totals, part, parts).reshape(w.shape[1], -1)
        _input_grad(g, w, dx, mine, sums, phases, offsets, bounds, lead, height, width, block, a, b)


@jit
def _weight_grad(g, x, dw, padded, spread, phases, offsets, height, width, block, start, stop):
    groups, (oh, ow) = len(dw), g.shape[2:]
    channels, outputs, numbers = x.shape[1] // groups, g.shape[1] // groups, height * width
    padded[:] = 0
    spread[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = (images - 1) * numbers + (oh - 1) * width + ow
        for group in range(groups):
            of_group = x[n : n + images, group * channels : (group + 1) * channels]
            _lay_out_images(of_group, padded, phases, height, width, block)
            for o in range(outputs):
                for b in range(images):
                    at = b * numbers
                    _lay_out_rows(g[n + b, group * outputs + o], spread[o, at : at + numbers], width)
            for begin in range(0, length, _CHUNK):
                count = min(_CHUNK, length - begin)
                for o in range(0, dw.shape[1], 4):
                    _add_dots_of_four(padded, spread[o : o + 4], offsets, dw[group, o : o + 4], begin, count)


@shareable
@jit
def weight_grad(g, x, dw, padded, spread, phases, offsets, height, width, block, start, stop):
    """g (N, O, OH, OW), x (N, C, H, W); to dw (parts, G, R, T) is added. spread is as `totals` for `conv`."""
    parts, n = len(dw), len(g)
    for part in range(start, stop):
        a, b = part_of(n, part, parts)
        mine, grads = row_of(padded, part, parts), row_of(spread, part, parts).reshape(dw.shape[2], -1)
        _weight_grad(g, x, dw[part], mine, grads, phases, offsets, height, width, block, a, b)
