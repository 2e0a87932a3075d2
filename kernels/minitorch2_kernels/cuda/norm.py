"""Normalisation over (A, B, L) on the GPU: batch, instance and group norm.

The statistics take one pass over memory and a short one over what its blocks leave behind; the results one more. See
norm.cu for the two ways through memory, by runs of L where they are long enough and by columns of B * L where not.
"""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import norm as reference
from .launch import FULL, acc, dense, function, launch, spread

_THREADS = 256
SHORT = 8  # runs of fewer numbers go by columns
SPAN = 4096  # of a run that a group of threads takes without a break
BLOCKS = 1056  # to fill an H100 with: eight blocks for each of its processors
MOST_SPLITS = 512
MOST_CUTS = 65535  # of a run between blocks: as many as a grid has rows


def _takes(x, *others) -> bool:
    return dense(x, *others) and x.dtype in FULL and x.size > 0 and all(a is None or a.dtype == x.dtype for a in others)


def _lanes(x, length: int) -> int:
    """Threads side by side on a run: the power of two that has a pack (or a number) for each."""
    per_pack = 16 // x.itemsize
    wanted = length // per_pack if length % per_pack == 0 else length
    return min(_THREADS, 1 << max(0, wanted - 1).bit_length())


class _Cut:
    """How the statistics of x are shared between blocks."""

    def __init__(self, x):
        images, channels, length = x.shape
        self.runs = length >= SHORT
        self.sizes = np.int64(images), np.int64(channels), np.int64(length)
        if self.runs:
            lanes = _lanes(x, length)
            units = -(-images * -(-length // SPAN) * lanes // _THREADS)  # what a block can do at once is one
            self.splits = max(1, min(MOST_SPLITS, units, BLOCKS // channels))
            self.grid, self.per, self.columns = (channels, self.splits), 1, channels
            self.sizes += (np.int32(lanes), np.int32(SPAN))
        else:
            self.columns, self.per = channels * length, length
            blocks = -(-self.columns // 32)
            self.splits = max(1, min(MOST_SPLITS, -(-images // 32), BLOCKS // blocks))
            self.grid = (blocks, self.splits)

    def reduce(self, name: str, arrays: tuple, outputs: tuple, values: int, dtype, finish: str = "") -> None:
        """`name`'s partial results and what finishes them (`finish`, or what has its name)."""
        partial = cupy.empty((self.splits, self.columns, values), acc(dtype))
        kernel = function("norm.cu", f"{name}_{'runs' if self.runs else 'columns'}", dtype)
        launch(kernel, self.grid, _THREADS, (*arrays, partial, *self.sizes))
        channels = int(self.sizes[1])
        args = (partial, *outputs, np.int32(self.splits), np.int64(channels), np.int32(self.per))
        launch(function("norm.cu", f"{finish or name}_finish", dtype), -(-channels * 32 // _THREADS), _THREADS, args)


def _map(name: str, x, args: tuple) -> None:
    """`name` element by element over arrays like x."""
    images, channels, length = x.shape
    sizes = np.int64(images), np.int64(channels), np.int64(length)
    if length >= SHORT:
        lanes = _lanes(x, min(length, SPAN))
        blocks = min(-(-images * channels * lanes // _THREADS), 65536)
        grid = (blocks, min(-(-length // SPAN), MOST_CUTS))
        launch(
            function("norm.cu", f"{name}_runs", x.dtype),
            grid,
            _THREADS,
            (*args, *sizes, np.int32(lanes), np.int32(SPAN)),
        )
    else:
        width = channels * length
        lanes = _lanes(x, width)
        across = -(-width // lanes)
        down = max(1, min(65535, -(-images * lanes // _THREADS), 4 * BLOCKS // across))
        launch(
            function("norm.cu", f"{name}_columns", x.dtype), (across, down), _THREADS, (*args, *sizes, np.int32(lanes))
        )


@reference.moments.cuda_override(_takes)
def moments(x):
    """moments in one pass, joined pack by pack."""
    mean, var = cupy.empty(x.shape[1], x.dtype), cupy.empty(x.shape[1], x.dtype)
    _Cut(x).reduce("moments", (x,), (mean, var), 3, x.dtype)
    return mean, var


@reference.statistics.cuda_override(
    lambda x, eps, running_mean, running_var, momentum: _takes(x, running_mean, running_var)
)
def statistics(x, eps, running_mean, running_var, momentum):
    """statistics: what finishes the moments moves the running ones too."""
    mean, rstd = cupy.empty(x.shape[1], x.dtype), cupy.empty(x.shape[1], x.dtype)
    numbers = map(acc(x.dtype), (eps, momentum, reference.unbiased(x.shape[0] * x.shape[2])))
    outputs = mean, rstd, running_mean, running_var, *numbers
    _Cut(x).reduce("moments", (x,), outputs, 3, x.dtype, finish="statistics")
    return mean, rstd


@reference.kept_statistics.cuda_override(lambda mean, var, eps, dtype: mean.dtype == dtype and _takes(mean, var))
def kept_statistics(mean, var, eps, dtype):
    """kept_statistics in one launch."""
    copy, rstd = cupy.empty(mean.shape, mean.dtype), cupy.empty(mean.shape, mean.dtype)
    arguments = mean, var, copy, rstd, acc(mean.dtype)(eps), np.int64(mean.size)
    spread(function("norm.cu", "kept_statistics", mean.dtype), mean.size, arguments)
    return copy, rstd


@reference.normalize.cuda_override(_takes)
def normalize(x, mean, rstd, weight, bias):
    """normalize in one pass."""
    y = cupy.empty(x.shape, x.dtype)
    _map("normalize", x, (x, mean, rstd, weight, bias, y))
    return y


@reference.affine_grad.cuda_override(_takes)
def affine_grad(g, x, mean, rstd):
    """affine_grad in one pass."""
    channels = x.shape[1]
    dweight, dbias = cupy.empty(channels, x.dtype), cupy.empty(channels, x.dtype)
    _Cut(x).reduce("products", (g, x, mean), (rstd, dweight, dbias), 2, x.dtype)
    return dweight, dbias


@reference.mix.cuda_override(_takes)
def mix(g, x, mean, by, along, shift):
    """mix in one pass."""
    y = cupy.empty(x.shape, x.dtype)
    _map("mix", x, (g, x, mean, by, along, shift, y))
    return y


@reference.normalize_grad.cuda_override(lambda g, x, mean, rstd, weight, from_batch: _takes(g, x, mean, rstd, weight))
def normalize_grad(g, x, mean, rstd, weight, from_batch):
    """normalize_grad: the sums in one pass, dx in another."""
    dx = cupy.empty(x.shape, x.dtype)
    dweight, dbias = affine_grad(g, x, mean, rstd)
    count = acc(x.dtype)(x.shape[0] * x.shape[2] if from_batch else 0)
    _map("normalize_grad", x, (g, x if from_batch else None, mean, rstd, weight, dweight, dbias, dx, count))
    return dx, dweight, dbias
