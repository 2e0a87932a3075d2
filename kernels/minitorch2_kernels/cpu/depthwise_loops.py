"""The loops that numba compiles for compiled_depthwise.py. Importing this imports numba.

Images are laid out as planes.py says. Arrays are C-contiguous and of one dtype, except for the ints of `phases` and
`offsets`; start and stop are the images that this thread is to do.
"""

from __future__ import annotations

from .loops import clear, inner, jit, lay_out, part_of, row_of, take_back
from .share_loops import shareable
from .tile import LINE_BYTES, line

_CHUNK = 2048  # numbers summed up before the next ones are begun, so that they stay in the first-level cache


@inner
def _add_shifted(source, weights, offsets, out):
    """out[q] += sum over t of weights[t] * source[offsets[t] + q]"""
    taps = len(weights)
    for begin in range(0, len(out), _CHUNK):
        o = out[begin : begin + _CHUNK]
        n = len(o)
        t = 0
        while t + 4 <= taps:  # four at a time: a sum is fetched and put back once for them
            a, b, c, d = offsets[t] + begin, offsets[t + 1] + begin, offsets[t + 2] + begin, offsets[t + 3] + begin
            sa, sb, sc, sd = source[a : a + n], source[b : b + n], source[c : c + n], source[d : d + n]
            wa, wb, wc, wd = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            for q in range(n):
                o[q] += wa * sa[q] + wb * sb[q] + wc * sc[q] + wd * sd[q]
            t += 4
        while t < taps:
            a = offsets[t] + begin
            sa, wa = source[a : a + n], weights[t]
            for q in range(n):
                o[q] += wa * sa[q]
            t += 1


@inner
def _sum_shifted(source, weights, offsets, out, length):
    """out[0, q] = sum over t of weights[0, t] * source[offsets[t] + q] for q < length, and whatever comes out in the
    rest of the last tile."""
    for q in range(0, length, LINE_BYTES // out.itemsize):
        line(source, q, weights, 0, offsets, out)


@inner
def _dots(source, g, offsets, out):
    """out[t] = sum over q of g[q] * source[offsets[t] + q]"""
    taps, n = len(offsets), len(g)
    t = 0
    while t + 4 <= taps:
        a, b, c, d = offsets[t], offsets[t + 1], offsets[t + 2], offsets[t + 3]
        sa, sb, sc, sd = source[a : a + n], source[b : b + n], source[c : c + n], source[d : d + n]
        ta = tb = tc = td = g.dtype.type(0)
        for q in range(n):
            ta += g[q] * sa[q]
            tb += g[q] * sb[q]
            tc += g[q] * sc[q]
            td += g[q] * sd[q]
        out[t], out[t + 1], out[t + 2], out[t + 3] = ta, tb, tc, td
        t += 4
    while t < taps:
        sa = source[offsets[t] : offsets[t] + n]
        ta = g.dtype.type(0)
        for q in range(n):
            ta += g[q] * sa[q]
        out[t] = ta
        t += 1


@shareable
@jit
def conv(x, w, y, padded, total, parts, phases, place, offsets, height, width, start, stop):
    """x (N*C, 1, H, W), w (C, M, KH*KW), y (N*C, M, OH, OW); a part's of total are OH * width numbers up to a whole
    tile, and of padded the layout's and another tile."""
    channels, (multiplier, oh, ow) = len(w), y.shape[1:]
    length = (oh - 1) * width + ow
    for part in range(start, stop):
        first, last = part_of(len(x), part, parts)
        mine, sums = row_of(padded, part, parts), row_of(total, part, parts)
        row = sums.reshape(1, -1)
        clear(mine)
        for n in range(first, last):
            lay_out(x, n, 1, 0, 1, mine, 0, phases, height * width, height, width)
            for m in range(multiplier):
                _sum_shifted(mine, w[n % channels, m : m + 1], offsets, row, length)
                take_back(sums, y, n, 1, m, 1, 0, place, 0, height, width)


@shareable
@jit
def input_grad(g, w, dx, padded, spread, parts, lead, phases, place, bounds, back, height, width, start, stop):
    """g (N*C, M, OH, OW), w (C, M, KH*KW) with taps in the order of their phases, dx (N*C, 1, H, W) of zeros.

    A part's of spread are `lead` zeros and a phase's numbers: a tap that looks forward in x looks back in g.
    """
    channels, multiplier, numbers = len(w), g.shape[1], height * width
    for part in range(start, stop):
        begin, end = part_of(len(g), part, parts)
        mine, grads = row_of(padded, part, parts), row_of(spread, part, parts)
        clear(grads)
        for n in range(begin, end):
            clear(mine)
            for m in range(multiplier):
                lay_out(g, n, 1, m, 1, grads[lead:], 0, place, 0, height, width)
                for number in range(len(phases)):
                    first, last = bounds[number], bounds[number + 1]
                    out = mine[number * numbers : (number + 1) * numbers]
                    _add_shifted(grads, w[n % channels, m, first:last], back[first:last], out)
            take_back(mine, dx, n, 1, 0, 1, 0, phases, numbers, height, width)


@shareable
@jit
def weight_grad(g, x, each, padded, spread, parts, phases, place, offsets, height, width, start, stop):
    """each (N*C, M, KH*KW): every image's gradient by itself. A part's of spread are OH * width numbers."""
    multiplier, oh, ow = g.shape[1:]
    length = (oh - 1) * width + ow
    for part in range(start, stop):
        first, last = part_of(len(x), part, parts)
        mine, grads = row_of(padded, part, parts), row_of(spread, part, parts)
        clear(mine)
        clear(grads)
        for n in range(first, last):
            lay_out(x, n, 1, 0, 1, mine, 0, phases, height * width, height, width)
            for m in range(multiplier):
                lay_out(g, n, 1, m, 1, grads, 0, place, 0, height, width)
                _dots(mine, grads[:length], offsets, each[n, m])
