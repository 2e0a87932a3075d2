"""The optimizer updates of `reference.optim`, a block at a time.

An update passes a dozen times over its arrays. Taken whole, each pass fetches them from memory again; in
blocks of 512 KiB they stay in cache, and a pass is long enough for two threads not to wait for the interpreter's
lock (pool.py). NumPy's temporaries of that size come from the heap, still warm from the last block. The
arithmetic is the reference's own: the same bits.
"""

import numpy as np

from ..reference import optim as reference
from .pool import share_if

BLOCK_BYTES = 512 * 1024
WORTH_SHARING = 3  # blocks; below, waking the other threads takes longer than the update


def contiguous(param, grad, *rest) -> bool:
    """Whether all arrays can be cut at the same places; the gradient, only read, may be copied into order."""
    arrays = (param, *(a for a in rest if isinstance(a, np.ndarray)))
    return all(isinstance(a, np.ndarray) and a.flags.c_contiguous for a in arrays)


def _in_blocks(kernel) -> None:
    """Registers the override of `kernel` that goes through the flattened arrays block by block."""
    update = kernel.reference

    @kernel.override(contiguous)
    def blocked(param, *rest):
        length = BLOCK_BYTES // param.itemsize
        # torch says nothing about overflow or 0/0, and optimizers call this outside any op
        with np.errstate(all="ignore"):
            if param.size <= length:
                update(param, *rest)
                return
            args = [a.reshape(-1) if isinstance(a, np.ndarray) else a for a in (param, *rest)]
            blocks = -(-param.size // length)

            def run(first, last):
                for start in range(first * length, last * length, length):
                    block = slice(start, start + length)
                    update(*[a[block] if isinstance(a, np.ndarray) else a for a in args])

            share_if(blocks >= WORTH_SHARING, run, blocks)


for _kernel in (
    reference.sgd,
    reference.adam,
    reference.rmsprop,
    reference.adagrad,
    reference.adadelta,
    reference.adamax,
    reference.nadam,
    reference.radam,
    reference.rprop,
    reference.asgd,
):
    _in_blocks(_kernel)
