"""Attention on the CPU: as many heads at a time as have their scores fit in the cache, shared between the threads.

Products, softmax and products again then find the scores where they left them. BLAS takes each head's matrix where it
lies, with a step between its rows, so heads that come out of one projection (N, L, heads * E) are not copied; and
results are laid out like the queries, so that putting the heads side by side again costs nothing either.
"""

from __future__ import annotations

import numpy as np

from ..reference import attention as reference
from .conv import workspace
from .pool import share

BLOCK_BYTES = 512 * 1024  # of scores: pool.py says why not less
WORTH_SHARING = 32 * 1024  # scores


def supports(q, k, v) -> bool:
    return (
        all(type(a) is np.ndarray for a in (q, k, v))
        and q.dtype == k.dtype == v.dtype
        and q.dtype.char in "fd"
        and 2 <= q.ndim <= 4
        and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
        and min(*q.shape, *k.shape, *v.shape) > 0
    )


def _supports(q, k, v, *rest) -> bool:
    return supports(q, k, v)


def _supports_grad(g, q, k, v, *rest) -> bool:
    return type(g) is np.ndarray and g.dtype == q.dtype and supports(q, k, v)


def four(a):
    """a with batch and head dims, where it has fewer: (N, heads, rows, columns)."""
    return a.reshape((1,) * (4 - a.ndim) + a.shape) if a.ndim < 3 else a[:, None] if a.ndim == 3 else a


def empty(shape, like):
    """An array of this shape whose dims follow each other in memory as those of `like`."""
    order = sorted(range(len(shape)), key=lambda i: -like.strides[i])
    return np.empty([shape[i] for i in order], like.dtype).transpose(np.argsort(order))


def _tiles(batch, heads, bytes_each):
    """(batch, heads) slices whose scores fill a block."""
    if heads * bytes_each <= BLOCK_BYTES:
        step = BLOCK_BYTES // (heads * bytes_each)
        return [(slice(b, b + step), slice(None)) for b in range(0, batch, step)]
    step = max(1, BLOCK_BYTES // bytes_each)
    return [(slice(b, b + 1), slice(h, h + step)) for b in range(batch) for h in range(0, heads, step)]


def _share_tiles(function, scores_shape, itemsize) -> None:
    batch, heads, length, keys = scores_shape
    tiles = _tiles(batch, heads, length * keys * itemsize)

    def part(start, stop):
        for tile in tiles[start:stop]:
            function(tile)

    if batch * heads * length * keys < WORTH_SHARING:
        part(0, len(tiles))
    else:
        share(part, len(tiles))


def softmax(scores, scale, causal) -> None:
    """softmax(scale scores) of a tile, in place; causal: with the causal mask. Rows of -inf become zeros."""
    scores *= scores.dtype.type(scale)
    if causal:
        reference.hide_(scores)
    reference.softmax_(scores, True)


def softmax_grad(d, weights, scale) -> None:
    """From the gradient of weights (*, S) to `scale` times that of what they are the softmax of, in place."""
    d *= weights
    d -= weights * d.sum(axis=-1, keepdims=True)
    d *= d.dtype.type(scale)


def forward(q, k, v, mask, causal, scale, kept, keep, softmax):
    """`attention` with this function for the softmax of a tile."""
    shape = (*q.shape[:-1], v.shape[-1])
    mask = None if mask is None else four(np.broadcast_to(mask, (*q.shape[:-1], k.shape[-2])))
    q, k, v = four(q), four(k), four(v)
    y = empty((*q.shape[:-1], v.shape[-1]), q)
    weights = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
    kept = None if kept is None else kept.reshape(weights.shape)

    def tile(at):
        scores = weights[at]
        np.matmul(q[at], k[at].swapaxes(-1, -2), out=scores)
        if mask is None:
            softmax(scores, scale, causal)
        else:
            scores *= scores.dtype.type(scale)
            scores += mask[at]
            softmax(scores, 1.0, causal)
        np.matmul(scores if kept is None else reference.dropped(scores, kept[at], keep), v[at], out=y[at])

    _share_tiles(tile, weights.shape, q.itemsize)
    return y.reshape(shape), weights.reshape(*shape[:-1], k.shape[-2])


def backward(g, q, k, v, weights, scale, kept, keep, of_mask, softmax_grad):
    """`attention_grad` with this function for the gradient of a tile's softmax."""
    shapes = [a.shape for a in (q, k, v, weights)]
    g, q, k, v, weights = (four(a) for a in (g, q, k, v, weights))
    kept = None if kept is None else kept.reshape(weights.shape)
    dq, dk, dv = (empty(a.shape, a) for a in (q, k, v))
    dmask = np.empty_like(weights) if of_mask else None

    def tile(at):
        w = weights[at]
        used = w if kept is None else reference.dropped(w, kept[at], keep)
        np.matmul(used.swapaxes(-1, -2), g[at], out=dv[at])
        d = workspace("scores", w.size, w.dtype).reshape(w.shape)
        np.matmul(g[at], v[at].swapaxes(-1, -2), out=d)
        if kept is not None:
            d *= kept[at]
            d *= d.dtype.type(1 / keep)
        if dmask is None:
            softmax_grad(d, w, scale)
        else:
            softmax_grad(d, w, 1.0)
            dmask[at] = d
            d *= d.dtype.type(scale)
        np.matmul(d, k[at], out=dq[at])
        np.matmul(d.swapaxes(-1, -2), q[at], out=dk[at])

    _share_tiles(tile, weights.shape, q.itemsize)
    results = (None if a is None else a.reshape(s) for a, s in zip((dq, dk, dv, dmask), shapes, strict=True))
    return tuple(results)


@reference.attention.override(_supports)
def attention(q, k, v, mask, causal, scale, kept, keep):
    """attention, a few heads at a time."""
    return forward(q, k, v, mask, causal, scale, kept, keep, softmax)


@reference.attention_grad.override(_supports_grad)
def attention_grad(g, q, k, v, weights, scale, kept, keep, of_mask):
    """attention_grad, a few heads at a time."""
    return backward(g, q, k, v, weights, scale, kept, keep, of_mask, softmax_grad)
