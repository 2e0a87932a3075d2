"""Pooling over windows of (N, C, H, W).

Pairs: kernel, stride, padding, dilation; out = (OH, OW) is worked out by the caller.
max_pool2d keeps, for each window, which tap won (a small integer): its gradient and its indices follow from that.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace


def taps(kernel_size, stride, dilation, out):
    """(number, rows, columns) of each tap: the slices of the padded input that it sees at all places at once."""
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = kernel_size, stride, dilation, out
    for k in range(kh):
        for m in range(kw):
            rows = slice(k * dh, k * dh + sh * (oh - 1) + 1, sh)
            cols = slice(m * dw, m * dw + sw * (ow - 1) + 1, sw)
            yield k * kw + m, rows, cols


def padded(x, kernel_size, stride, padding, dilation, out, value):
    """x with `value` around it, so far that every window lies inside; x itself where that is so already."""
    n, c, h, w = x.shape
    need = [(out[i] - 1) * stride[i] + dilation[i] * (kernel_size[i] - 1) + 1 for i in (0, 1)]
    size = [max(need[i], x.shape[2 + i] + padding[i]) for i in (0, 1)]
    if padding == (0, 0) and size == [h, w]:
        return x
    result = namespace(x).full((n, c, *size), value, x.dtype)
    result[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w] = x
    return result


def _first_taps(xp, kernel_size, stride, padding, dilation, out):
    """(OH, OW): the number of the first tap at each place that lies inside the image, not in the padding before it."""
    first = [xp.maximum(-((xp.arange(out[i]) * stride[i] - padding[i]) // dilation[i]), 0) for i in (0, 1)]
    return first[0][:, None] * kernel_size[1] + first[1]


@kernel
def max_pool2d(x, kernel_size, stride, padding, dilation, out):
    """(y, winner): the largest of each window, and the number of the first tap that had it; or NaN, above all, and the
    last tap that had one, as torch has it."""
    xp = namespace(x)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    x = padded(x, kernel_size, stride, padding, dilation, out, lowest)
    winner = xp.empty((*x.shape[:2], *out), xp.uint8 if kernel_size[0] * kernel_size[1] <= 256 else xp.int32)
    winner[...] = _first_taps(xp, kernel_size, stride, padding, dilation, out)  # it wins where all are the lowest
    y = None
    for number, rows, cols in taps(kernel_size, stride, dilation, out):
        tap = x[:, :, rows, cols].copy()  # once across memory with steps, instead of in each line below
        if y is None:
            y = tap
            continue
        better = (tap > y).astype(winner.dtype)
        better *= number
        xp.maximum(winner, better, out=winner)  # the numbers rise, so the last to be better has the largest
        xp.maximum(y, tap, out=y)
    lost = y != y  # a NaN wins its window, but is not greater than anything
    if lost.any():
        for number, rows, cols in taps(kernel_size, stride, dilation, out):
            tap = x[:, :, rows, cols]
            xp.copyto(winner, winner.dtype.type(number), where=lost & (tap != tap))
    return y, winner


@kernel
def max_pool2d_put(g, winner, hw, kernel_size, stride, padding, dilation):
    """dx (N, C, H, W), hw = (H, W): each g added where its window's winner stood."""
    xp = namespace(g)
    out = g.shape[2:]
    need = [(out[i] - 1) * stride[i] + dilation[i] * (kernel_size[i] - 1) + 1 for i in (0, 1)]
    size = [max(need[i], hw[i] + padding[i]) for i in (0, 1)]
    dx = xp.zeros((*g.shape[:2], *size), g.dtype)
    for number, rows, cols in taps(kernel_size, stride, dilation, out):
        dx[:, :, rows, cols] += xp.where(winner == number, g, g.dtype.type(0))
    (ph, pw), (h, w) = padding, hw
    return xp.ascontiguousarray(dx[:, :, ph : ph + h, pw : pw + w])


@kernel
def max_pool2d_pick(x, winner, kernel_size, stride, padding, dilation):
    """What x has where the winners stand: max_pool2d_put's transpose."""
    xp = namespace(x)
    out = winner.shape[2:]
    x = padded(x, kernel_size, stride, padding, dilation, out, 0)
    y = xp.zeros(winner.shape, x.dtype)
    for number, rows, cols in taps(kernel_size, stride, dilation, out):
        xp.copyto(y, x[:, :, rows, cols], where=winner == number)
    return y


def winner_indices(winner, hw, kernel_size, stride, padding, dilation):
    """The winners as indices into the flattened (H, W) plane, int64: what return_indices gives."""
    xp = namespace(winner)
    kw = kernel_size[1]
    oh, ow = winner.shape[2:]
    row = xp.arange(oh)[:, None] * stride[0] - padding[0] + (winner // kw).astype(xp.int64) * dilation[0]
    col = xp.arange(ow)[None, :] * stride[1] - padding[1] + (winner % kw).astype(xp.int64) * dilation[1]
    return row * hw[1] + col


@kernel
def avg_pool2d(x, divisor, kernel_size, stride, padding, out):
    """Window sums over `divisor` (OH, OW)."""
    x = padded(x, kernel_size, stride, padding, (1, 1), out, 0)
    total = None
    for _, rows, cols in taps(kernel_size, stride, (1, 1), out):
        tap = x[:, :, rows, cols]
        total = tap.copy() if total is None else namespace(x).add(total, tap, out=total)
    return total / divisor


@kernel
def avg_pool2d_put(g, divisor, hw, kernel_size, stride, padding):
    """dx: every place gives each element of its window its share. avg_pool2d's transpose."""
    xp = namespace(g)
    out = g.shape[2:]
    g = g / divisor
    size = [max((out[i] - 1) * stride[i] + kernel_size[i], hw[i] + padding[i]) for i in (0, 1)]
    dx = xp.zeros((*g.shape[:2], *size), g.dtype)
    for _, rows, cols in taps(kernel_size, stride, (1, 1), out):
        dx[:, :, rows, cols] += g
    (ph, pw), (h, w) = padding, hw
    return xp.ascontiguousarray(dx[:, :, ph : ph + h, pw : pw + w])
