"""torch.randperm's shuffle without a loop over the elements, for where numba does not compile one."""

from __future__ import annotations

import numpy as np


def shuffled(targets: np.ndarray) -> np.ndarray:
    """What range(n) becomes when steps i = 0 ... n-1 swap places i and targets[i] >= i: int64, shape (n,).

    Place i is final after step i, which puts there what stood at place t = targets[i]: the newest value an
    earlier step k moved to t, and t itself where there was none. The value step k moved is the one that
    stood at its own place k, which again came from the newest earlier step with target k, and so on: chains
    of steps, followed to their ends by doubling. O(n log n) in all, against n swaps one after the other.
    """
    n = len(targets)
    steps = np.arange(n)
    # source[k]: the newest step before k that moved a value to place k; k itself where none did
    source = steps.copy()
    moved = targets != steps
    source[targets[moved]] = steps[moved]  # of several writes to one place NumPy keeps the last
    while True:
        further = source[source]
        if np.array_equal(further, source):
            break
        source = further
    # earlier[i]: the newest step before i with the same target (they are neighbours once sorted), else -1
    pairs = np.sort(targets << 32 | steps)
    target, step = pairs >> 32, pairs & 0xFFFFFFFF
    same = target[1:] == target[:-1]
    earlier = np.full(n, -1)
    earlier[step[1:][same]] = step[:-1][same]
    return np.where(earlier >= 0, source[earlier], targets)
