"""The loops that numba compiles for compiled_dense.py. Importing this module imports numba: do so when it is needed.

All arrays are C-contiguous and of one floating dtype, but for the ints of `phases`, `offsets` and `bounds`. Rows come
in fours: four outputs read the same shifted images, and their sums and weights fit the vector registers together.
"""

from __future__ import annotations

from .loops import jit, lay_out, take_back

_CHUNK = 1024  # numbers of a row that are summed up before the next ones, so that they stay in the first-level cache


@jit
def _add_to_four(source, weights, offsets, out, begin, count):
    """out[r, q] += sum over t of weights[r, t] * source[offsets[t] + q], for four rows and q from begin on."""
    end = begin + count
    o0, o1, o2, o3 = out[0, begin:end], out[1, begin:end], out[2, begin:end], out[3, begin:end]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    taps = len(offsets)
    t = 0
    while t + 3 <= taps:  # three at a time: twelve products for each time the four sums are fetched and put back
        a, b, c = offsets[t] + begin, offsets[t + 1] + begin, offsets[t + 2] + begin
        sa, sb, sc = source[a : a + count], source[b : b + count], source[c : c + count]
        w0a, w0b, w0c = w0[t], w0[t + 1], w0[t + 2]
        w1a, w1b, w1c = w1[t], w1[t + 1], w1[t + 2]
        w2a, w2b, w2c = w2[t], w2[t + 1], w2[t + 2]
        w3a, w3b, w3c = w3[t], w3[t + 1], w3[t + 2]
        for q in range(count):
            xa, xb, xc = sa[q], sb[q], sc[q]
            o0[q] += w0a * xa + w0b * xb + w0c * xc
            o1[q] += w1a * xa + w1b * xb + w1c * xc
            o2[q] += w2a * xa + w2b * xb + w2c * xc
            o3[q] += w3a * xa + w3b * xb + w3c * xc
        t += 3
    while t < taps:
        a = offsets[t] + begin
        sa, w0a, w1a, w2a, w3a = source[a : a + count], w0[t], w1[t], w2[t], w3[t]
        for q in range(count):
            xa = sa[q]
            o0[q] += w0a * xa
            o1[q] += w1a * xa
            o2[q] += w2a * xa
            o3[q] += w3a * xa
        t += 1


@jit
def _add_dots_of_four(source, g, offsets, out, begin, count):
    """out[r, t] += sum over q of g[r, q] * source[offsets[t] + q], for four rows and q from begin on."""
    end = begin + count
    g0, g1, g2, g3 = g[0, begin:end], g[1, begin:end], g[2, begin:end], g[3, begin:end]
    zero = out.dtype.type(0)
    for t in range(0, len(offsets), 2):  # two at a time: eight sums in registers
        u = min(t + 1, len(offsets) - 1)
        a, b = offsets[t] + begin, offsets[u] + begin
        sa, sb = source[a : a + count], source[b : b + count]
        s0a = s1a = s2a = s3a = s0b = s1b = s2b = s3b = zero
        for q in range(count):
            xa, xb, y0, y1, y2, y3 = sa[q], sb[q], g0[q], g1[q], g2[q], g3[q]
            s0a += y0 * xa
            s0b += y0 * xb
            s1a += y1 * xa
            s1b += y1 * xb
            s2a += y2 * xa
            s2b += y2 * xb
            s3a += y3 * xa
            s3b += y3 * xb
        out[0, t] += s0a
        out[1, t] += s1a
        out[2, t] += s2a
        out[3, t] += s3a
        if u > t:
            out[0, u] += s0b
            out[1, u] += s1b
            out[2, u] += s2b
            out[3, u] += s3b


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
def conv(x, w, y, padded, totals, phases, offsets, height, width, block, start, stop, first, last):
    """x (N, G, C/G, H, W), w (G, R, T) with R rows in fours, y (N, G, O/G, OH, OW); images start to stop, rows first to
    last. padded (C/G * phases * block * height * width, and zeros behind it) and totals (R, block * height * width) are
    this thread's.
    """
    groups, outputs, oh, ow = y.shape[1:]
    numbers = height * width
    padded[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = (images - 1) * numbers + (oh - 1) * width + ow
        for group in range(groups):
            _lay_out_images(x[n : n + images, group], padded, phases, height, width, block)
            for begin in range(0, length, _CHUNK):
                count = min(_CHUNK, length - begin)
                for o in range(first, last, 4):
                    totals[o : o + 4, begin : begin + count] = 0
                    _add_to_four(padded, w[group, o : o + 4], offsets, totals[o : o + 4], begin, count)
            for o in range(first, min(last, outputs)):
                for b in range(images):
                    for i in range(oh):
                        at = b * numbers + i * width
                        row, line = y[n + b, group, o, i], totals[o, at : at + ow]
                        for j in range(ow):
                            row[j] = line[j]


@jit
def input_grad(g, w, dx, spread, totals, phases, offsets, bounds, lead, height, width, block, start, stop):
    """g (N, G, O/G, OH, OW), dx (N, G, C/G, H, W) of zeros, w (G, R, O/G * KH*KW): the taps of phase p stand at
    bounds[p] to bounds[p + 1] and so do their offsets into spread (O/G * (lead + block * height * width)).
    """
    groups, channels, outputs = dx.shape[1], dx.shape[2], g.shape[2]
    numbers = height * width
    reach = lead + block * numbers
    spread[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = images * numbers
        for group in range(groups):
            for o in range(outputs):
                for b in range(images):
                    at = o * reach + lead + b * numbers
                    _lay_out_rows(g[n + b, group, o], spread[at : at + numbers], width)
            for p in range(len(phases)):
                first, last = bounds[p], bounds[p + 1]
                for begin in range(0, length, _CHUNK):
                    count = min(_CHUNK, length - begin)
                    for c in range(0, w.shape[1], 4):
                        totals[c : c + 4, begin : begin + count] = 0
                        _add_to_four(
                            spread,
                            w[group, c : c + 4, first:last],
                            offsets[first:last],
                            totals[c : c + 4],
                            begin,
                            count,
                        )
                for c in range(channels):
                    for b in range(images):
                        at = b * numbers
                        take_back(totals[c, at : at + numbers], dx[n + b, group, c], phases[p : p + 1], height, width)


@jit
def weight_grad(g, x, dw, padded, spread, phases, offsets, height, width, block, start, stop):
    """g (N, G, O/G, OH, OW), x (N, G, C/G, H, W); dw (G, R, T), this thread's, is added to."""
    groups, outputs, oh, ow = g.shape[1:]
    numbers = height * width
    padded[:] = 0
    spread[:] = 0
    for n in range(start, stop, block):
        images = min(block, stop - n)
        length = (images - 1) * numbers + (oh - 1) * width + ow
        for group in range(groups):
            _lay_out_images(x[n : n + images, group], padded, phases, height, width, block)
            for o in range(outputs):
                for b in range(images):
                    _lay_out_rows(g[n + b, group, o], spread[o, b * numbers : (b + 1) * numbers], width)
            for begin in range(0, length, _CHUNK):
                count = min(_CHUNK, length - begin)
                for o in range(0, dw.shape[1], 4):
                    _add_dots_of_four(padded, spread[o : o + 4], offsets, dw[group, o : o + 4], begin, count)
