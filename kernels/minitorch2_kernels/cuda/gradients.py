"""What many gradients go through before an update, on the GPU: one launch for all, as optim.py's."""

from __future__ import annotations

import cupy
import numpy as np

from ..reference import amp
from ..reference import gradients as reference
from .launch import FULL, THREADS, acc, by_value, dense, function, launch
from .optim import tables, takes


def _supports(arrays) -> bool:
    return takes(arrays) and arrays[0].dtype in FULL


def _supports_scale(arrays, factor) -> bool:
    return _supports(arrays) and dense(factor) and factor.dtype == arrays[0].dtype


def _supports_unscale(grads, inverse, found) -> bool:
    return _supports(grads) and dense(inverse, found) and inverse.dtype == found.dtype == np.float32


@reference.lengths.cuda_override(_supports)
def lengths(arrays):
    """lengths: the squares of all in one launch, and their sums in another."""
    dtype = arrays[0].dtype
    y = cupy.empty(len(arrays), dtype)
    for table, blocks, tensors, part in tables(arrays, arrays):
        partial, count = cupy.empty(blocks, acc(dtype)), int(table["count"])
        if blocks:
            launch(function("optim.cu", "squares", dtype, TENSORS=tensors), blocks, THREADS, (by_value(table), partial))
        kernel = function("optim.cu", "squares_finish", dtype, TENSORS=tensors)
        launch(kernel, -(-count * 32 // THREADS), THREADS, (by_value(table), partial, y[part]))
    return y


def _each(name, arrays, *numbers) -> None:
    for table, blocks, tensors, _ in tables(arrays, arrays):
        if blocks:
            kernel = function("optim.cu", name, arrays[0].dtype, TENSORS=tensors)
            launch(kernel, blocks, THREADS, (by_value(table), *numbers))


@reference.scale.cuda_override(_supports_scale)
def scale(arrays, factor):
    """scale in one launch."""
    _each("scale", arrays, factor)


@amp.unscale.cuda_override(_supports_unscale)
def unscale(grads, inverse, found):
    """unscale in one launch."""
    _each("unscale", grads, inverse, found)
