"""The loops that numba compiles for compiled_sorting.py. Importing this module imports numba: do so when it is needed.

x (R, N), and `bits`, the same memory as unsigned integers. What is compared are keys, unsigned integers in the order of
the numbers."""

from __future__ import annotations

import numpy as np

from .loops import inner, jit
from .share_loops import shareable


@inner
def _key(v, bits, masks, floating, backwards):
    """masks: the highest bit alone, and all. A float's bits are in the order of floats above zero, and against it
    below; -0 is 0, and NaN has all bits."""
    sign, every = masks
    key = bits ^ sign
    if floating:
        key = bits ^ every if bits & sign else key
        key = sign if v == 0 else key
        key = every if v != v else key
    return key ^ every if backwards else key


@shareable
@jit
def order(x, bits, masks, floating, descending, digits, index, start, stop):
    """index (R, N): the order of rows start to stop, by the digits of their keys, of so many bits, the last one first:
    every pass keeps the order of those before. A digit that all have in common needs none."""
    n, size, mask = x.shape[1], 8 * bits.itemsize, bits.dtype.type((1 << digits) - 1)
    passes, buckets = (size + digits - 1) // digits, 1 << digits
    keys, other_keys = np.empty(n, bits.dtype), np.empty(n, bits.dtype)
    places, other_places = np.empty(n, np.int64), np.empty(n, np.int64)
    counts = np.empty((passes, buckets), np.int64)
    for r in range(start, stop):
        counts[:, :] = 0
        for i in range(n):
            key = _key(x[r, i], bits[r, i], masks, floating, descending)
            keys[i], places[i] = key, i
            for p in range(passes):
                counts[p, (key >> bits.dtype.type(p * digits)) & mask] += 1
        for p in range(passes):
            count, shift = counts[p], bits.dtype.type(p * digits)
            if count[(keys[0] >> shift) & mask] == n:
                continue
            total = 0
            for b in range(buckets):
                count[b], total = total, total + count[b]
            for i in range(n):
                digit = (keys[i] >> shift) & mask
                to = count[digit]
                count[digit] = to + 1
                other_keys[to], other_places[to] = keys[i], places[i]
            keys, other_keys = other_keys, keys
            places, other_places = other_places, places
        for i in range(n):
            index[r, i] = places[i]


@inner
def _worse(keys, places, a, b):
    """Whether what stands at a comes after what stands at b: a smaller key, or among equals a later place."""
    return keys[a] < keys[b] or (keys[a] == keys[b] and places[a] > places[b])


@inner
def _sink(keys, places, size):
    """Puts the first of a heap, whose root is the worst, where it belongs."""
    at, child = 0, 1
    while child < size:
        if child + 1 < size and _worse(keys, places, child + 1, child):
            child += 1
        if not _worse(keys, places, child, at):
            return
        keys[at], keys[child] = keys[child], keys[at]
        places[at], places[child] = places[child], places[at]
        at, child = child, 2 * child + 1


@shareable
@jit
def first_few(x, bits, masks, floating, largest, index, start, stop):
    """index (R, K): the K largest, or smallest, of rows start to stop, from a heap of the best so far."""
    n, k = x.shape[1], index.shape[1]
    keys, places = np.empty(k, bits.dtype), np.empty(k, np.int64)
    for r in range(start, stop):
        for i in range(k):  # the first K, each let rise to where it belongs
            keys[i], places[i] = _key(x[r, i], bits[r, i], masks, floating, not largest), i
            at = i
            while at > 0 and _worse(keys, places, at, (at - 1) // 2):
                above = (at - 1) // 2
                keys[at], keys[above] = keys[above], keys[at]
                places[at], places[above] = places[above], places[at]
                at = above
        for i in range(k, n):
            key = _key(x[r, i], bits[r, i], masks, floating, not largest)
            if key > keys[0]:
                keys[0], places[0] = key, i
                _sink(keys, places, k)
        for size in range(k - 1, -1, -1):  # the worst to the end, again and again
            index[r, size] = places[0]
            keys[0], places[0] = keys[size], places[size]
            _sink(keys, places, size)
