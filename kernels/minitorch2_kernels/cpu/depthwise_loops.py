"""The loops that numba compiles for compiled_depthwise.py. Importing this imports numba.

Images are laid out as planes.py says. Arrays are C-contiguous and of one dtype, except for the ints of `phases` and
`offsets`; start and stop are the images that this thread is to do.
"""

from __future__ import annotations

from .loops import jit, lay_out, part_of, row_of, take_back
from .share_loops import shareable
from .tile import LINE_BYTES, line

_CHUNK = 2048  # numbers summed up before the next ones are begun, so that they stay in the first-level cache


@jit
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


@jit
def _sum_shifted(source, weights, offsets, out, length):
    """out[0, q] = sum over t of weights[0, t] * source[offsets[t] + q] for q < length, and whatever comes out in the
    rest of the last tile."""
    for q in range(0, length, LINE_BYTES // out.itemsize):
        line(source, q, weights, 0, offsets, out)


@jit
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


@jit
def _conv(x, w, y, padded, total, phases, place, offsets, height, width, start, stop):
    channels, (multiplier, oh, ow) = len(w), y.shape[1:]
    length = (oh - 1) * width + ow
    padded[:] = 0
    for n in range(start, stop):
        lay_out(x, n, 1, 0, 1, padded, 0, phases, height * width, height, width)
        for m in range(multiplier):
            _sum_shifted(padded, w[n % channels, m : m + 1], offsets, total, length)
            take_back(total[0], y, n, 1, m, 1, 0, place, 0, height, width)


@shareable
@jit
def conv(x, w, y, padded, total, parts, phases, place, offsets, height, width, start, stop):
    """x (N*C, 1, H, W), w (C, M, KH*KW), y (N*C, M, OH, OW); a part's of total are OH * width numbers up to a whole
    tile, and of padded the layout's and another tile."""
    n = len(x)
    for part in range(start, stop):
        a, b = part_of(n, part, parts)
        mine, sums = row_of(padded, part, parts), row_of(total, part, parts).reshape(1, -1)
        _conv(x, w, y, mine, sums, phases, place, offsets, height, width, a, b)


@jit
def _input_grad(g, w, dx, padded, spread, lead, phases, place, bounds, back, height, width, start, stop):
    channels, multiplier = len(w), g.shape[1]
    numbers = height * width
    spread[:] = 0
    for n in range(start, stop):
        padded[:] = 0
        for m in range(multiplier):
            lay_out(g, n, 1, m, 1, spread[lead:], 0, place, 0, height, width)
            for number in range(len(phases)):
                first, last = bounds[number], bounds[number + 1]
                out = padded[number * numbers : (number + 1) * numbers]
                _add_shifted(spread, w[n % channels, m, first:last], back[first:last], out)
        take_back(padded, dx, n, 1, 0, 1, 0, phases, numbers, height, width)


@shareable
@jit
def input_grad(g, w, dx, padded, spread, parts, lead, phases, place, bounds, back, height, width, start, stop):
    """g (N*C, M, OH, OW), w (C, M, KH*KW) with taps in the order of their phases, dx (N*C, 1, H, W) of zeros.

    A part's of spread are `lead` zeros and a phase's numbers: a tap that looks forward in x looks back in g.
    """
    n = len(g)
    for part in range(start, stop):
        a, b = part_of(n, part, parts)
        mine, grads = row_of(padded, part, parts), row_of(spread, part, parts)
        _input_grad(g, w, dx, mine, grads, lead, phases, place, bounds, back, height, width, a, b)


@jit
def _weight_grad(g, x, each, padded, spread, phases, place, offsets, height, width, start, stop):
    multiplier, oh, ow = g.shape[1:]
    length = (oh - 1) * width + ow
    padded[:] = 0
    spread[:] = 0
    for n in range(start, stop):
        lay_out(x, n, 1, 0, 1, padded, 0, phases, height * width, height, width)
        for m in range(multiplier):
            lay_out(g, n, 1, m, 1, spread, 0, place, 0, height, width)
            _dots(padded, spread[:length], offsets, each[n, m])


@shareable
@jit
def weight_grad(g, x, each, padded, spread, parts, phases, place, offsets, height, width, start, stop):
    """each (N*C, M, KH*KW): every image's gradient by itself. A part's of spread are OH * width numbers."""
    n = len(x)
    for part in range(start, stop):
        a, b = part_of(n, part, parts)
        mine, grads = row_of(padded, part, parts), row_of(spread, part, parts)
        _weight_grad(g, x, each, mine, grads, phases, place, offsets, height, width, a, b)
