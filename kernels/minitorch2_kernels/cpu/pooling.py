"""Pooling on the CPU: the reference, a few images at a time, by every thread on its share of the batch.

The reference passes over its input once per tap. On a block that stays in cache only the first pass costs memory.
"""

from __future__ import annotations

import numpy as np

from ..reference import pooling as reference
from .pool import share

BLOCK_BYTES = 256 * 1024


def _on_cpu(x, *args) -> bool:
    return type(x) is np.ndarray and x.ndim == 4 and x.shape[0] > 1 and x.nbytes > BLOCK_BYTES


def _in_blocks(kernel):
    """The override that runs `kernel`'s reference on blocks of images; the first two arguments may be batched."""

    def blockwise(first, second, *rest):
        n = first.shape[0]
        step = max(1, BLOCK_BYTES * n // first.nbytes)
        batched = isinstance(second, np.ndarray) and second.ndim == 4
        results: dict = {}

        def part(start, stop):
            for a in range(start, stop, step):
                b = min(stop, a + step)
                results[a] = kernel.reference(first[a:b], second[a:b] if batched else second, *rest)

        share(part, n)
        return _joined([results[a] for a in sorted(results)])

    blockwise.__doc__ = f"{kernel.__name__}, block by block."
    kernel.override(_on_cpu)(blockwise)


def _joined(results):
    if isinstance(results[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))
    return np.concatenate(results)


for _kernel in (
    reference.max_pool2d,
    reference.max_pool2d_put,
    reference.max_pool2d_pick,
    reference.avg_pool2d,
    reference.avg_pool2d_put,
):
    _in_blocks(_kernel)
